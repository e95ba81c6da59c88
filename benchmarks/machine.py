"""The machine that a benchmark runs on, for its table."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import ipyparallel
import psutil
import zmq


def describe() -> str:
    """One line: processor, operating system, and the versions that matter."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{_processor()}, {psutil.cpu_count()} cores, {memory:.0f} GiB; {_system()};"
        f" {platform.python_implementation()} {platform.python_version()},"
        f" ipyparallel {ipyparallel.__version__}, pyzmq {zmq.__version__},"
        f" libzmq {zmq.zmq_version()}"
    )


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    name = f"{platform.system()} {platform.release()}"
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {name}"
    except OSError:  # not Linux
        return name
