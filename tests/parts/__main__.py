"""`python -m tests.parts`: fetches what can be fetched and says what there is."""

import time

from tests.parts import PARTS, find, missing, version


def main() -> None:
    for name in PARTS:
        began = time.monotonic()
        path = find(name)
        took = time.monotonic() - began
        line = f"{version(name)}  {path}" if path else missing(name).splitlines()[0]
        print(f"  {name:18} {line}" + (f"  ({took:.0f} s)" if took > 1 else ""), flush=True)


if __name__ == "__main__":
    main()
