"""Peak memory of the driver, as far as the platform tells it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROCESSES = Path("/proc")  # where Linux tells of other processes


def peak_memory() -> dict[str, float]:
    """Peak resident memory of the driver in MiB: its Python where there is POSIX, its JVM where there is Linux."""
    peaks = {}
    if sys.platform != "win32":
        import resource

        unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, others KiB
        peaks["driver_python_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
    for status in PROCESSES.glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue  # the process has ended
        family = {lines.get("Pid", "").strip(), lines.get("PPid", "").strip()}
        if lines.get("Name", "").strip() == "java" and "VmHWM" in lines and family & _kin():
            peaks["driver_jvm_mib"] = round(int(lines["VmHWM"].split()[0]) / 1024, 1)
    return peaks


def _kin() -> set[str]:
    """Ids by which the driver's JVM is known: parent of this process (spark-submit), or its child."""
    return {str(os.getpid()), str(os.getppid())}
