"""Reads what runs from a Docker Engine: only GET, and only what `allowed` lists.

Every call has a timeout and the whole read a deadline, so a frozen engine costs seconds. Environment variables,
commands and the output of health checks are dropped at once: they may hold secrets.
"""

from __future__ import annotations

from auditor.sources.docker.read import Reader, read_containers
from auditor.sources.docker.visit import Reading

__all__ = ["Reader", "Reading", "read_containers"]
