"""The ledger of record: members' accounts, their lots, and the book of every movement."""
