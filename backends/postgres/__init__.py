"""The library's store in a PostgreSQL with pgvector, which several app servers share."""
