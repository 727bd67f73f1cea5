"""Histories from a server, all of them or what is new."""
