"""Tillside on Windows: the set-up that Linux builds, and what it does on the till."""
