"""The agent's commands. Each module is one group of the root command and imports what it needs when it is called."""
