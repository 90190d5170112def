"""The checks, a module or a package a theme. Each is a function; adding one is adding a function and its case file."""
