"""The tables of the store in PostgreSQL, and the steps from each released form of them to the next.

Enters: a cursor in a transaction. Leaves: tables of the newest form. Steps go forwards only and are never
changed once released; a database of a newer form than this program knows is left alone.
"""

from __future__ import annotations

from functools import lru_cache

from backends.datatypes import DatabaseRow, UserError
from backends.postgres.server import Cursor, Server

# Names sort and compare byte by byte, as they do in SQLite and in Python. Text stands apart from vectors: the
# tables that hold it can be rewritten when something is forgotten, without making an index of vectors anew.
FIRST = """
CREATE TABLE meta (
    key text COLLATE "C" PRIMARY KEY, value text NOT NULL, number bigint GENERATED ALWAYS AS IDENTITY
);
INSERT INTO meta (key, value) VALUES ('identity', gen_random_uuid()::text);
CREATE TABLE collections (name text COLLATE "C" PRIMARY KEY, state bigint NOT NULL);
CREATE TABLE documents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, version int NOT NULL,
    current boolean NOT NULL, title text NOT NULL, type text COLLATE "C" NOT NULL, text text NOT NULL,
    content_hash text COLLATE "C" NOT NULL, pages text NOT NULL, roles text[] NOT NULL, tags text[] NOT NULL,
    date text COLLATE "C" NOT NULL, source text NOT NULL, language text NOT NULL, notes text NOT NULL,
    UNIQUE (collection, name, version)
);
CREATE UNIQUE INDEX one_current ON documents (collection, name) WHERE current;
CREATE INDEX documents_by_contents ON documents (content_hash);
CREATE TABLE originals (
    document bigint PRIMARY KEY REFERENCES documents ON DELETE CASCADE, data bytea NOT NULL
);
CREATE TABLE history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, version int NOT NULL,
    event text NOT NULL, at text NOT NULL, content_hash text NOT NULL
);
CREATE INDEX history_by_name ON history (collection, name);
CREATE TABLE readings (
    document bigint NOT NULL REFERENCES documents ON DELETE CASCADE,
    embedder text COLLATE "C" NOT NULL, tokens bytea NOT NULL, parts bytea NOT NULL,
    PRIMARY KEY (document, embedder)
);
CREATE TABLE windows (
    document bigint NOT NULL REFERENCES documents ON DELETE CASCADE,
    embedder text COLLATE "C" NOT NULL, ordinal int NOT NULL, parts int NOT NULL,
    key text COLLATE "C" NOT NULL,
    PRIMARY KEY (document, embedder, ordinal)
);
CREATE INDEX windows_by_key ON windows (key);
CREATE TABLE vectors (key text COLLATE "C" PRIMARY KEY, data bytea NOT NULL);
CREATE TABLE schemes (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE,
    dimension int NOT NULL
);
CREATE TABLE chunked (
    document bigint NOT NULL REFERENCES documents ON DELETE CASCADE,
    scheme int NOT NULL REFERENCES schemes ON DELETE CASCADE,
    made bigint NOT NULL, passages int NOT NULL, words bigint NOT NULL,
    PRIMARY KEY (document, scheme)
);
CREATE TABLE passages (
    document bigint NOT NULL, scheme int NOT NULL, ordinal int NOT NULL,
    start int NOT NULL, "end" int NOT NULL, tokens int NOT NULL, page int, vector halfvec NOT NULL,
    PRIMARY KEY (document, scheme, ordinal),
    FOREIGN KEY (document, scheme) REFERENCES chunked ON DELETE CASCADE
);
CREATE TABLE passage_texts (
    document bigint NOT NULL, scheme int NOT NULL, ordinal int NOT NULL,
    heading text NOT NULL, text text NOT NULL,
    PRIMARY KEY (document, scheme, ordinal),
    FOREIGN KEY (document, scheme) REFERENCES chunked ON DELETE CASCADE
);
CREATE TABLE words (
    document bigint NOT NULL, scheme int NOT NULL, word text COLLATE "C" NOT NULL,
    ordinals bytea NOT NULL, counts bytea NOT NULL, lengths bytea NOT NULL,
    FOREIGN KEY (document, scheme) REFERENCES chunked ON DELETE CASCADE
);
CREATE INDEX words_by_word ON words (scheme, word, document);
CREATE INDEX words_by_document ON words (document, scheme);
CREATE TABLE explained (
    document bigint NOT NULL, scheme int NOT NULL, short text NOT NULL, long text NOT NULL,
    FOREIGN KEY (document, scheme) REFERENCES chunked ON DELETE CASCADE
);
CREATE INDEX explained_by_document ON explained (document, scheme);
"""
# The file that a document was read from may lie among the files that servers share, under this name.
SECOND = """
ALTER TABLE originals ALTER COLUMN data DROP NOT NULL, ADD COLUMN file text COLLATE "C",
    ADD CONSTRAINT in_one_place CHECK ((data IS NULL) <> (file IS NULL));
CREATE INDEX originals_by_file ON originals (file);
"""
# Logs of lines, such as who did what: the same on every app server.
THIRD = """
CREATE TABLE lines (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, log text COLLATE "C" NOT NULL, line text NOT NULL
);
CREATE INDEX lines_by_log ON lines (log, id);
"""
# Votes, evaluation runs and what was asked, of the workspace and of everybody who uses it.
FOURTH = """
CREATE TABLE records (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    place text COLLATE "C" NOT NULL, kind text COLLATE "C" NOT NULL, within text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), value text NOT NULL,
    UNIQUE (place, kind, within, key)
);
"""
STEPS = (FIRST, SECOND, THIRD, FOURTH)
FORM = "form"  # key of `meta`: how many of the steps were taken
TEXTS = (
    "documents", "originals", "passage_texts", "words", "explained", "readings", "windows", "vectors", "meta",
    "lines", "records",
)  # fmt: skip  # what holds text or was made of it, but for `passages`


def migrate(cursor: Cursor[DatabaseRow]) -> None:
    """Take the steps that are still to be taken. UserError for a form that only a newer program knows."""
    cursor.execute("SELECT to_regclass('meta') IS NOT NULL")
    found = cursor.fetchone()
    taken = 0
    if found is not None and found[0]:
        cursor.execute("SELECT value::int FROM meta WHERE key = %s", (FORM,))
        row = cursor.fetchone()
        taken = row[0] if row else 0
    if taken > len(STEPS):
        raise UserError(
            f"The store was written by a newer Triptych (form {taken}; this one knows up to {len(STEPS)})."
        )
    for step in STEPS[taken:]:
        cursor.execute(step)
    if taken < len(STEPS):
        cursor.execute(
            "INSERT INTO meta (key, value) VALUES (%s, %s)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (FORM, str(len(STEPS))),
        )


@lru_cache(maxsize=4)
def prepared(address: str) -> Server:
    """The database at an address, its tables made; UserError when it cannot be used."""
    server = Server(address)
    server.prepare(migrate)
    return server
