"""What tills and cloud say to each other, and the till's half of saying it."""
