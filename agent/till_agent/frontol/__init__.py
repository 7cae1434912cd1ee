"""Frontol's Priority API: the agent as the loyalty server that Frontol asks (see docs/reference/frontol.md)."""
