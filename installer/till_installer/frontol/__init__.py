"""Frontol 5 and 6: the JScript scenario that we ship, and the commands that put it in place."""
