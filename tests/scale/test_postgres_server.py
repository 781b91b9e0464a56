"""The server that the tests at scale run against is what a department would run: PostgreSQL with pgvector."""

from __future__ import annotations


def test_a_fresh_database_can_have_vectors(database: str) -> None:
    import psycopg

    with psycopg.connect(database) as db:
        db.execute("CREATE EXTENSION vector")
        row = db.execute("SELECT '[1,0]'::vector <=> '[0,1]'::vector").fetchone()
        version = db.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    assert row == (1.0,)
    assert version is not None and tuple(map(int, version[0].split("."))) >= (0, 8)  # iterative scans
