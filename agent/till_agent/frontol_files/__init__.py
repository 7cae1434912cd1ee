"""Frontol's files: its sales reports, read and held against the journal, and the load file that it takes in.

Nothing here is imported unless the configuration asks for it.
"""
