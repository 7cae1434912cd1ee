"""Devices that are not there: shipped, for demos, tests and training."""
