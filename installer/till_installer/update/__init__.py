"""Signed updates: the repository that a chain keeps, and a till's way to it over the line or from a stick."""
