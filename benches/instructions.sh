#!/usr/bin/env bash
# Counts the instructions of a command in matching, by valgrind's callgrind; `FLOW=FILE` takes the flow from a file.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }
exec cargo bench --bench matching -- "$@"
