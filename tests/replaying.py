"""Feeds a log of events to a new core: ``python -m tests.replaying LOG``."""

from __future__ import annotations

import sys
from pathlib import Path

from ipp_richsched.core.log import LogError, replay


def main(path: str) -> str:
    """Replay a log; what went wrong, or nothing."""
    try:
        with Path(path).open() as lines:
            events, difference = replay(lines)
    except (OSError, LogError) as error:
        return f"{path}: {error}"
    print(f"{events} events")
    return difference


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]) or 0)
