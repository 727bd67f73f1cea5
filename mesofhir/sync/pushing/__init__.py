"""Histories to a server, each as a whole."""
