"""The chain's centre: ingest, ledger of record, members, programmes, tills."""
