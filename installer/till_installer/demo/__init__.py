"""A whole chain on one machine for a minute: cloud, agent, scanner, printer, and a real day's receipts."""
