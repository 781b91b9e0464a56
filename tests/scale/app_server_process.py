"""An app server's library as a process: `python -m tests.scale.app_server_process ADDRESS FOLDER`.

Enters: lines of JSON, a list of what to do and with what. Leaves: a line of JSON for each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from backends.documents.library import Library
from backends.erasure import removal
from backends.postgres.postgres_store import PostgresStore
from tests.fakes import HashingEmbedder

SETTINGS = SimpleNamespace(chunk_size=32, chunk_overlap=8, chunking="sentences")


def answer(library: Library, do: str, what: str) -> Any:
    """What an app server says: to `add` a file, `ask` a question, `forget` a document, show the `texts`."""
    if do == "add":
        return [each.status for each in library.ingest([Path(what)], settings=SETTINGS)]
    if do == "ask":
        hits = library.retriever(SETTINGS).search(what, top_k=50, mode="hybrid")
        return [[hit.chunk.document, hit.chunk.version, hit.chunk.text] for hit in hits]
    if do == "forget":
        return removal.forget(library, what).proven
    return [[each.name, each.text] for each in library.documents()]


if __name__ == "__main__":
    opened = Library(PostgresStore.open(sys.argv[1], Path(sys.argv[2])), HashingEmbedder())
    for line in sys.stdin:
        print(json.dumps(answer(opened, *json.loads(line))), flush=True)
