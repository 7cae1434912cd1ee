"""What the agent's bridge and the cloud share as HTTP servers: problems, bodies, and the server itself."""
