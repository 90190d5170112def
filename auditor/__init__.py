"""Says for each declared service how far the evidence goes, and where it stops."""

__version__ = "0.1.0"
