"""`checks` and `explain`: what is judged, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from auditor.cli import options, output

if TYPE_CHECKING:
    from auditor.registry import Check


@click.command(
    epilog="""\b
Examples:
  auditor checks
  auditor checks --format json"""
)
@options.output("text", "json")
def checks(form: str, target: str | None) -> int:
    """List the checks with severity, theme and summary."""
    from auditor import registry

    found = list(registry.checks().values())
    output.write(_json(found) if form == "json" else _list(found), target)
    return 0


def _json(found: list[Check]) -> str:
    from exporters.report_json import dumps

    return dumps({"schema": "stack-auditor/checks/1", "checks": [_document(item) for item in found]})


def _document(item: Check) -> dict[str, Any]:
    from auditor.policy import PROFILES

    return {
        "id": item.id,
        "theme": item.theme,
        "profiles": [name for name, belongs in PROFILES.items() if belongs(item)],
        "severity": _severity(item),
        "summary": item.summary,
        "fix": item.fix,
        "needs": list(item.needs),
        "options": {name: _plain(value) for name, value in item.options.items()},
        "formerly": list(item.formerly),
    }


def _plain(value: object) -> object:
    if isinstance(value, tuple | list | set | frozenset):
        return sorted(map(str, value)) if isinstance(value, set | frozenset) else list(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _severity(item: Check) -> str:
    from auditor.model import Severity

    return str(item.severity) if isinstance(item.severity, Severity) else "by criticality"


def _list(found: list[Check]) -> str:
    from exporters.escape import wrap

    room = max((len(item.id) for item in found), default=0)
    columns = output.look()["width"] if output.terminal() else 1000  # a pipe gets one line a check
    lines: list[str] = []
    for theme in dict.fromkeys(item.theme for item in found):
        lines += ["", theme] if lines else [theme]
        for item in (item for item in found if item.theme == theme):
            first, *more = wrap(item.summary, max(30, columns - room - 20))
            lines.append(f"  {item.id:<{room}}  {_severity(item):<14}  {first}")
            lines += [f"{'':<{room + 20}}{line}" for line in more]
    lines += ["", "by criticality: critical on a critical service, else warning", _profiles()]
    return "\n".join(lines) + "\n"


def _profiles() -> str:
    from auditor.policy import DEFAULT_PROFILE, PROFILES

    names = [f"{name} (default)" if name == DEFAULT_PROFILE else name for name in PROFILES]
    return f"profiles for --select: {', '.join(names)}"


@click.command(
    epilog="""\b
Example:
  auditor explain alertmanager-missing
  auditor explain --component redis
  auditor explain --value services.web.image -f compose.yaml"""
)
@click.argument("check", metavar="ID", required=False)
@click.option("--value", "path", metavar="PATH", help="Say instead which lines decided a value of the Compose model.")
@click.option("--component", metavar="NAME", help="Say instead what is known of a component, and from where.")
@click.option("--catalogue", metavar="FILE", help="Catalogue whose own knowledge counts, with --component.")
@click.option("-f", "--file", "files", metavar="FILE", multiple=True, help="Compose file, with --value; repeatable.")
@click.option("--profile", "profiles", metavar="NAME", multiple=True, help="Profile to activate, with --value.")
@click.option("--env-file", "env_files", metavar="FILE", multiple=True, help="Variables in place of `.env`'s.")
@click.option("--root", metavar="DIR", help="Project root; nothing outside it is read.")
def explain(check: str | None, path: str | None, component: str | None, catalogue: str | None, **asked: Any) -> int:
    """Explain one check: why it matters, a bad and a good example, the fix."""
    from auditor.errors import UsageError

    if component is not None and check is None and path is None:
        from auditor.cli.component import page

        output.write(page(component, catalogue, asked["root"]))
        return 0
    if path is not None and check is None:
        from auditor.cli.config import chain

        output.write(chain(path, asked))
        return 0
    if check is None or path is not None or component is not None:
        raise UsageError(
            "name one check, a value with --value, or a component with --component",
            help="`auditor checks` lists the checks",
        )
    output.write(_page(_find(check)))
    return 0


def _find(name: str) -> Check:
    from auditor import registry
    from auditor.errors import UsageError, did_you_mean

    known = registry.checks()
    item = known.get(registry.formerly().get(name, name))
    if item is None:
        help = did_you_mean(name, known) or "`auditor checks` lists them"
        raise UsageError(f"unknown check `{name}`", help=help)
    return item


def _page(item: Check) -> str:
    from auditor.registry import explain as parts

    text = parts(item)
    blocks = [
        f"{item.id}\n{text.summary}",
        f"Severity: {_severity_in_words(item)}\nTheme: {item.theme}",
        text.why,
        f"Bad:\n{_indented(text.bad)}",
        f"Good:\n{_indented(text.good)}",
        f"Fix: {item.fix}",
        _options(item),
        f"Needs: {item.looks_at}" if item.looks_at else "",
        f"Formerly: {', '.join(item.formerly)}" if item.formerly else "",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _severity_in_words(item: Check) -> str:
    from auditor.model import Severity

    return str(item.severity) if isinstance(item.severity, Severity) else repr(item.severity)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.rstrip().splitlines())


def _options(item: Check) -> str:
    if not item.options:
        return ""
    lines = [f"  {name}: {_plain(value)}" for name, value in item.options.items()]
    return "\n".join([f"Options (in the catalogue, `checks: {{{item.id}: {{options: ...}}}}`):", *lines])
