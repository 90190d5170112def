#!/bin/sh
# Makes the virtual environment $1 with $PYTHON, or with the first Python >= 3.11 that is found.
set -eu

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

python=
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
  if fits "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
  echo "error: no Python 3.11 or newer: tried ${PYTHON:-python3, python3.13, python3.12, python3.11}" >&2
  echo "  help: install one, or name it: make PYTHON=/path/to/python3.12" >&2
  exit 1
fi
if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  echo "error: $python has no \`venv\` module with pip, which a virtual environment is made with" >&2
  echo "  help: on Debian and Ubuntu: apt-get install python3-venv (or python$version-venv)" >&2
  exit 1
fi
echo "making $1 with $("$python" --version)"
rm -rf "$1"
"$python" -m venv "$1"
