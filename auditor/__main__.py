"""The command `auditor`: `python -m auditor`, and the console script."""

from __future__ import annotations

import gc
import os
import sys

_COLLECT_AFTER = 100_000  # objects


def main() -> None:
    """Run the command line on the process's arguments and end the process with its exit code."""
    # Hardly anything made here is cyclic; by default the collector would walk the growing model hundreds of times.
    # One audit ends long before it matters; what goes on (`serve`, `top`) switches it on again.
    gc.disable()
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])
    from auditor.cli.shell import run

    code = run(sys.argv[1:])  # everything printed has left the process
    # To give a large model back object by object takes a twentieth of the run, and nothing waits for it.
    os._exit(code)


if __name__ == "__main__":
    main()
