"""Clients of what the backend talks to."""
