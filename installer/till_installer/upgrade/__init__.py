"""Upgrade and rollback: one version beside the other, proven before it serves and watched after."""
