"""Answers users' requests."""
