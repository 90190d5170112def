"""The server: scans again and again, and serves the latest report as API, metrics and page."""
