"""Around every command: one place where errors are printed, and where the exit code is decided."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import IO, NoReturn

import click

from auditor.cli.commands import auditor
from auditor.errors import AuditorError

INCOMPLETE = 3  # also for what stops a run: it is never a clean result
_OUTPUT_FAULTS = {errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT}


class Terminated(BaseException):
    """The process was asked to end."""


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command line: 0 clean, 1 findings, 2 a wrong option or catalogue, 3 incomplete."""
    try:
        return _deliver(_command(arguments))
    except Terminated:
        return _say("error: stopped by a signal before the end")
    finally:
        _settle_streams()


def _command(arguments: Sequence[str]) -> int:
    try:
        with _terminable():
            code = auditor.main(list(arguments), prog_name="auditor", standalone_mode=False)
    except AuditorError as error:
        return _print(error)
    except click.exceptions.NoArgsIsHelpError as error:
        _say(error.format_message())
        return 2
    except click.ClickException as error:
        return _print(_usage(error))
    except (KeyboardInterrupt, click.exceptions.Abort):
        return _say("error: interrupted")
    except SystemExit as stop:
        return _stopped(stop)
    except OSError as error:
        return _output_fault(error) if error.errno in _OUTPUT_FAULTS and not error.filename else _crash(error)
    except Exception as error:
        return _crash(error)
    return code if isinstance(code, int) else 0


def _deliver(code: int) -> int:
    """`code`, once everything printed has left the process; else 3."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError) as error:
        return _output_fault(error)
    return code


def _stopped(stop: SystemExit) -> int:
    """An end from within: shell completion means it; else click gave up on a pipe, or some code had no right to it."""
    if "_AUDITOR_COMPLETE" in os.environ:
        return stop.code if isinstance(stop.code, int) else 0
    if stop.code == 1 and isinstance(stop.__context__, BrokenPipeError | None):
        return _output_fault(BrokenPipeError(errno.EPIPE, "broken pipe"))
    return _say("error: the run ended before its result")


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Make SIGTERM an orderly end with a reason; a server that sets its own handler keeps that."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# --- what is printed ---------------------------------------------------------------------------------------------


def _print(error: AuditorError) -> int:
    from exporters.escape import clean, guard

    lines = [f"error: {clean(error.what)}"]
    lines += [f"  --> {clean(error.where)}"] if error.where else []
    lines += [f"  help: {clean(error.help)}"] if error.help else []
    _say("\n".join(map(guard, lines)))
    return error.exit_code


def _usage(error: click.ClickException) -> AuditorError:
    """Click's complaint in our words: lower-case, no full stop, with the way to the right option."""
    from auditor.errors import UsageError

    context = getattr(error, "ctx", None)
    command = context.command_path if context else "auditor"
    near = getattr(error, "possibilities", None)
    message = error.message if isinstance(error, click.NoSuchOption) else error.format_message()
    if isinstance(error, click.NoSuchOption):
        message = f"no such option `{error.option_name}`"
    help = f"did you mean `{near[0]}`?" if near else f"`{command} --help` lists the options"
    message = message.strip().rstrip(".").replace("'", "`")
    return UsageError(message[:1].lower() + message[1:], help=help)


def _output_fault(error: BaseException) -> int:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _say(f"error: cannot write the output: {(reason or 'closed').lower()}")


def _crash(error: BaseException) -> int:
    try:
        from auditor.cli.crash import record

        return _say(record(error))
    except Exception:  # out of memory, most likely: the one line must come out all the same
        return _say(f"error: internal error ({type(error).__name__}); its details could not be recorded")


def _say(text: str) -> int:
    """Print to standard error whatever happens to it, and give the code of a run that did not end well."""
    stream = sys.stderr
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):
            stream.write(text.encode(stream.encoding or "ascii", "backslashreplace").decode(stream.encoding or "ascii"))
            stream.write("\n")
            stream.flush()
    return INCOMPLETE


def _settle_streams() -> None:
    """Keep the interpreter from failing again, with a code of its own, on output that cannot be written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            _discard(stream)


def _discard(stream: IO[str]) -> None:
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
