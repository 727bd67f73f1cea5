"""Sync: histories to and from a server."""
