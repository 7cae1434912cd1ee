"""Ops of tills applied to the ledger: one transaction a batch, one verdict an op, for ever."""
