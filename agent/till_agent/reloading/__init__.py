"""Settings of a running agent: what it starts by, what it takes in without a restart, and what the chain decides."""
