"""Bundles: all that a till needs in one signed folder or archive, so that it is installed with no network."""
