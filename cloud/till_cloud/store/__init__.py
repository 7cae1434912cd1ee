"""The cloud's SQLite database: schema, one writer, many readers. Nothing here knows the rules of the ledger."""
