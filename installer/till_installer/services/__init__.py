"""Who starts the agent, watches it and starts it again: systemd, Windows' services, or a process of our own."""
