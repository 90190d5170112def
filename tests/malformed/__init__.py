"""Catalogues and Compose files that nobody should have to survive, and what must be said of each."""
