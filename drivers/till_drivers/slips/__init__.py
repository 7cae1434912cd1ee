"""Slips before any printer is known: their words, their sandboxed templates, and how a template is tried out."""
