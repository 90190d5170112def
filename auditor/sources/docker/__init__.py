"""Reads what runs from a Docker Engine: one list, then bounded inspections. Only GET, and only what is read here.

Every call has a timeout and the whole read a deadline, so a frozen engine costs seconds. Environment variables,
commands and the output of health checks are dropped at once: they may hold secrets.
"""

from __future__ import annotations

from auditor.sources.docker.read import read_containers

__all__ = ["read_containers"]
