"""Keeps documents and finds passages in them."""
