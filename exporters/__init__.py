"""Turns a report into something for another program."""
