"""The CPU that a process has had."""

from __future__ import annotations

import sys
import time

import psutil


def cpu_seconds(process: psutil.Process) -> float:
    """Seconds of CPU that a process has had, user and system, of all its threads."""
    if sys.platform == "linux":
        # the clock of a process, as clock_getcpuclockid(3) makes it: psutil's ticks every 10 ms
        return time.clock_gettime(~process.pid << 3 | 2)
    times = process.cpu_times()
    return float(times.user + times.system)
