"""A visitor's own copy of the documents follows those that everybody shares, for as long as it stays.

Enters: the copy, the shared library, the eyes of the copy's owner. Leaves: a copy in which what the person
added, edited or removed is theirs, and the rest is as it is now for everybody; what these eyes may not read
is not in it. What the shared library has embedded is not embedded again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from backends.datatypes import CatalogueEntry, Document
from backends.documents.library import Library, Reporter
from backends.documents.preparing import ChunkSettings
from backends.documents.storage import Store

FOLLOWED = "followed"  # key of `meta`: name -> content of the shared documents that the copy has


class CopyLibrary(Library):
    """A library that takes documents which are text already; what its original has read is not read again."""

    def __init__(self, workspace: Store, original: Library) -> None:
        super().__init__(workspace, original.embedder)
        self.ranker = original.ranker
        self._original = original

    def put(self, document: Document, settings: ChunkSettings) -> Document:
        """Store a new version of a document; it can be found when this returns."""
        return self._take(document, settings, Reporter(None, 0, 0, document.name)).document

    def _known(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        return {**self._original.workspace.vectors(keys), **super()._known(keys)}


def follow(copy: Store, shared: Library, role: str | None, settings: ChunkSettings) -> None:
    """Bring the copy to where the shared documents are; may be repeated after a crash."""
    taking = CopyLibrary(copy, shared)
    here = {entry.name: entry for entry in taking.catalogue()}
    there = {entry.name: entry for entry in shared.catalogue(role)}
    known = copy.get_meta(FOLLOWED)
    followed = json.loads(known) if known is not None else _as_copied(shared, here)
    untouched = {n for n, content in followed.items() if n in here and here[n].content_hash == content}
    gone = sorted(untouched - set(there))
    for name in gone:
        copy.remove_document("", name, note=False)
    if gone:
        copy.clean()  # out of the file too, and not only out of sight
    for name, entry in there.items():
        if name in untouched and _alike(here[name], entry):
            continue
        if name in untouched or (name not in followed and name not in here):
            _take(taking, shared, name, settings)
    kept = {n: content for n, content in followed.items() if n not in untouched}  # removed or edited here
    now = {
        n: entry.content_hash for n, entry in there.items() if n in untouched or n not in {*followed, *here}
    }
    copy.set_meta(FOLLOWED, json.dumps(kept | now))


def _as_copied(shared: Library, here: dict[str, CatalogueEntry]) -> dict[str, str]:
    """What a copy of before this was followed, or one just made, has from everybody's documents."""
    contents = {name: set(shared.workspace.version_hashes("", name).values()) for name in here}
    return {name: entry.content_hash for name, entry in here.items() if entry.content_hash in contents[name]}


def _alike(mine: CatalogueEntry, theirs: CatalogueEntry) -> bool:
    return (mine.content_hash, mine.roles, mine.tags, mine.date) == (
        theirs.content_hash, theirs.roles, theirs.tags, theirs.date,
    )  # fmt: skip


def _take(taking: CopyLibrary, shared: Library, name: str, settings: ChunkSettings) -> None:
    """The shared document as the copy's current version, with the file it came as."""
    document, original = shared.get(name), shared.original(name)
    taking.put(document, settings)
    if original is not None and (stored := taking.workspace.document("", name)) is not None:
        taking.workspace.keep_original(stored.id, original)
