"""Slips: sandboxed templates in five languages, made into blocks, text, or jobs of the print spool."""
