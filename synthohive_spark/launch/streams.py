"""What spark-submit writes to stdout, sorted: a job's result stays there, all else goes to stderr.

spark-submit joins the stderr of the Python program that it starts with its stdout (``PythonRunner``), so a job's logs
would arrive beside its result. A job marks its result line; this program, behind ``spark-submit.sh``, takes the mark
off and sends the other lines on. Scripts that are no job of ours keep their stdout.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import PurePath

MARK_VARIABLE = "SYNTHOHIVE_RESULT_MARK"
MARK = "\x1e"
JOBS = ("ingest.py", "train.py", "generate.py", "evaluate.py", "pipeline.py")
IVY_NOISE = b":: loading settings ::"


def is_job(words: Sequence[str]) -> bool:
    """Whether a command line starts one of the five jobs."""
    return any(PurePath(w).parent.name == "jobs" and PurePath(w).name in JOBS for w in words)


def main(words: Sequence[str]) -> None:
    """Sort stdin until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the job handles it, and its last words shall arrive
    job, mark = is_job(words), MARK.encode()
    for line in sys.stdin.buffer:
        result = line.startswith(mark) or (not job and not line.startswith(IVY_NOISE))
        stream = (sys.stdout if result else sys.stderr).buffer
        stream.write(line.removeprefix(mark))
        stream.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
