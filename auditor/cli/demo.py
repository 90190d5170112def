"""`demo`: the packaged example, audited and shown."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.cli import output

if TYPE_CHECKING:
    from auditor.settings import Settings

_PORT = 8642
_EXPLANATION = """\
What you see: Auterity is an example. Its README claims 25+ services and its
catalogue declares them, but its Compose file has 16. Each row of the matrix is a
service, each column a rung that evidence proves or disproves; each finding names
the line that shows it. Nothing but files was asked.

  auditor explain declared-not-composed   why a finding matters, with an example
  auditor demo --dir auterity             keeps a copy to look at and to mend
  auditor init                            in your project: writes a catalogue from its Compose files
"""
_LIVE_EXPLANATION = """\
What you see: stand-in containers play Auterity on your Docker Engine. One was
left out, one says that it is unhealthy, one was started by hand beside them; the
findings say so. They are removed when this ends.
"""


@click.command(
    epilog="""\b
Examples:
  auditor demo
  auditor demo --no-serve --dir auterity
  auditor demo --live"""
)
@click.option("--no-serve", is_flag=True, help="Print the audit and end.")
@click.option("--live", is_flag=True, help="Start stand-in containers on a Docker Engine, and audit them too.")
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="Port of the page.")
@click.option("--dir", "directory", metavar="DIR", help="Copy the example there and keep it; default: a passing copy.")
@click.option("-v", "--verbose", is_flag=True, help="All evidence, all files, notices in full.")
def demo(no_serve: bool, live: bool, port: int, directory: str | None, verbose: bool) -> int:
    """Audit a packaged example system and show its page.

    Needs no Docker, no network and no root; with --live it also starts stand-ins on a Docker Engine.
    """
    with _copy(directory) as place, _stand_ins(place, live=live):
        code = _audit(place, live=live, verbose=verbose)
        return code if no_serve else _serve(place, port, live=live)


@contextlib.contextmanager
def _copy(directory: str | None) -> Iterator[Path]:
    """The example in a directory of its own, kept only where one was named."""
    if directory is None:
        with tempfile.TemporaryDirectory(prefix="auditor-demo-") as temporary:
            yield _filled(Path(temporary) / "auterity")
        return
    if Path(directory).exists():
        raise output.exists(directory)
    yield _filled(Path(directory))


def _filled(place: Path) -> Path:
    from auditor.errors import AuditorError

    try:
        shutil.copytree(_example(), place)
    except OSError as error:
        raise AuditorError(f"cannot copy the example to `{place}`: {(error.strerror or str(error)).lower()}") from error
    return place


def _example() -> Path:
    """The example system: inside the installed package, or in a checkout beside it."""
    import auditor
    from auditor.errors import AuditorError

    package = Path(auditor.__file__).parent
    for place in (package / "examples" / "auterity", package.parent / "compose" / "examples" / "auterity"):
        if (place / "catalogue.yaml").is_file():
            return place
    raise AuditorError("the example system is not part of this installation", help="install the distribution's wheel")


@contextlib.contextmanager
def _stand_ins(place: Path, *, live: bool) -> Iterator[None]:
    if not live:
        yield
        return
    from auditor import scan
    from auditor.demo_live import stand_ins

    project = scan.gather(_settings(place, live=False)).projects[0]
    with stand_ins(project, place, tell=output.note):
        yield


def _audit(place: Path, *, live: bool, verbose: bool) -> int:
    from auditor import scan
    from auditor.cli.audit import explain_incomplete, show

    report = scan.scan(_settings(place, live=live))
    show(report, "text", None, verbose=verbose, hints=False)
    output.write(f"\n{_LIVE_EXPLANATION if live else _EXPLANATION}")
    return explain_incomplete(report)


def _settings(place: Path, *, live: bool, port: int = _PORT) -> Settings:
    from auditor.settings import Settings

    return Settings(
        catalogue=str(place / "catalogue.yaml"),
        root=str(place),
        offline=not live,
        docker="env" if live else None,
        ignore=("image-drift",) if live else (),  # all stand-ins are made of one image
        port=port,
        database=f"sqlite:///{place / 'auditor.db'}",
    )


def _serve(place: Path, wanted: int, *, live: bool) -> int:
    from auditor.cli.serve import run

    port = _free(wanted)
    output.write(f"\nStatus page: http://127.0.0.1:{port}/   (Ctrl-C ends it)\n")
    return run(_settings(place, live=live, port=port))


def _free(wanted: int) -> int:
    """`wanted` if nobody listens there, else a port that the system hands out."""
    for port in (wanted, 0):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                listener.bind(("127.0.0.1", port))
                free: int = listener.getsockname()[1]
                return free
    return wanted
