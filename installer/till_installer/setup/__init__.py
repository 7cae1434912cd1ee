"""Putting Tillside on a till, mending it there, and taking it off again."""
