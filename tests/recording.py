"""A controller whose scheduler writes a log of events: ``python -m tests.recording``.

It takes the options of `ipcontroller`.  The environment variable ``RICHSCHED_LOG`` names the
log.  ``python -m tests.replaying LOG`` feeds it to a new core.
"""

from __future__ import annotations

import os
from typing import Any

from ipp_richsched import RichController, RichTaskScheduler
from ipp_richsched.core.log import write_log
from ipp_richsched.core.machine import Trace
from ipp_richsched.core.settings import Settings

LOG = "RICHSCHED_LOG"


class RecordingTaskScheduler(RichTaskScheduler):
    """Writes down each step of its core."""

    def _make_trace(self, settings: Settings) -> Trace | None:
        path = os.environ.get(LOG)
        if path is None:
            return None
        file = open(path, "w", buffering=1)  # noqa: SIM115  # as long as the process lives
        return write_log(file.write, settings)


class RecordingController(RichController):
    """Launches `RecordingTaskScheduler`."""

    def get_python_scheduler_args(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        scheduler_args = super().get_python_scheduler_args(*args, **kwargs)
        if scheduler_args["scheduler_class"] is RichTaskScheduler:
            scheduler_args["scheduler_class"] = RecordingTaskScheduler
        return scheduler_args


if __name__ == "__main__":
    RecordingController.launch_instance()
