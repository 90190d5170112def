"""What an exception was raised from or wraps, so that the first cause can be named."""

from __future__ import annotations

from collections.abc import Iterator


def causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and everything behind it, each once, the outermost first."""
    waiting, seen = [error], set()
    while waiting:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        group = link.exceptions if isinstance(link, BaseExceptionGroup) else ()
        behind = (*link.args, *group, getattr(link, "reason", None), link.__cause__, link.__context__)
        waiting += [part for part in behind if isinstance(part, BaseException)]
