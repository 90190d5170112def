"""The checks, a module a theme. Each is a function; adding one is adding a function and its case file."""
