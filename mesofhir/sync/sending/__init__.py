"""To the server: our resources found there, and writes brought there, each accounted for."""
