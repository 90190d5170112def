"""Whom a Dockerfile lets its image run as, and whether it asks after its health, as far as its text tells."""

from __future__ import annotations

import re

from auditor.regexp import regexp

_LINE = regexp(r"^[ \t]*(FROM|USER|HEALTHCHECK)[ \t]+(.+?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_FROM = regexp(r"(?:--\S+\s+)*(?P<base>\S+)(?:\s+AS\s+(?P<name>\S+))?", re.IGNORECASE)
_DEEPEST = 20  # stages upon stages


def user(text: str, target: str | None = None) -> str | None:
    """The user of the last stage, or of `target`; None where its base image decides, or a variable."""
    name = _said(text, "USER", target)
    return None if name is None or "$" in name else name.strip("\"'")


def asks(text: str, target: str | None = None) -> bool:
    """Whether the last stage, or `target`, has a health check of its own."""
    check = _said(text, "HEALTHCHECK", target)
    return check is not None and check.split()[0].upper() != "NONE"


def _said(text: str, wanted_keyword: str, target: str | None) -> str | None:
    """What follows the last keyword of that name in a stage, or in the stages of the file that it stands upon."""
    stages: list[tuple[str, str, str | None]] = []  # base, name, what was said
    for keyword, rest in _LINE.findall(text):
        if keyword.upper() == "FROM":
            match = _FROM.match(rest)
            if match:
                stages.append((match["base"].lower(), (match["name"] or "").lower(), None))
        elif stages and keyword.upper() == wanted_keyword:
            stages[-1] = (*stages[-1][:2], rest)
    wanted = target.lower() if target else stages[-1][1] or None if stages else None
    found = next((stage for stage in reversed(stages) if wanted and stage[1] == wanted), None)
    if found is None and stages and target is None:
        found = stages[-1]
    for _ in range(_DEEPEST):
        if found is None or found[2] is not None:
            break
        base = found[0]
        found = next((stage for stage in stages if stage[1] == base and stage is not found), None)
    return found[2] if found else None
