"""What was sent, what became of it, and what both sides said last: one SQLite file for a server."""
