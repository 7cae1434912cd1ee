"""The one place in which an upgrader waits: it has no loop, and what it waits for are programs and people."""

import time


def pause(seconds: float) -> None:
    """Let so much time pass."""
    time.sleep(seconds)
