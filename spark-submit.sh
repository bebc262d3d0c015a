#!/usr/bin/env bash
# spark-submit with what the package needs: Delta, the code as .zip, this checkout's Python and, when no --master is
# given, local defaults. Your own options come last and win. See README.md, "Running it".
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
python="$root/.venv/bin/python"
if [[ ! -x "$python" ]]; then
  echo "error: $python is missing; run 'make venv' in $root first" >&2
  exit 2
fi
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" -m synthohive_spark.launch.submit "$@"
