"""A controller whose scheduler checks its own state: ``python -m tests.validating``.

The scheduler logs its process id when it starts.  On SIGUSR1 it logs one line, that its state
is valid, or what is not.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from ipp_richsched import RichController, RichTaskScheduler

PID = "the scheduler that validates itself has pid "
VALID = "its state is valid, unfinished tasks: "
NOT_VALID = "its state is not valid: "


class ValidatingTaskScheduler(RichTaskScheduler):
    """Checks its state on SIGUSR1."""

    def start(self) -> None:
        super().start()
        # by the loop, and so between two events
        self.loop.asyncio_loop.add_signal_handler(signal.SIGUSR1, self._validate_state)
        self.log.info("%s%i", PID, os.getpid())

    def _validate_state(self) -> None:
        try:
            self._core.validate()
        except AssertionError as error:
            self.log.error("%s%s", NOT_VALID, error)
        else:
            self.log.info("%s%i", VALID, len(self._core.tasks))


class ValidatingController(RichController):
    """Launches `ValidatingTaskScheduler`."""

    def get_python_scheduler_args(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        scheduler_args = super().get_python_scheduler_args(*args, **kwargs)
        if scheduler_args["scheduler_class"] is RichTaskScheduler:
            scheduler_args["scheduler_class"] = ValidatingTaskScheduler
        return scheduler_args


if __name__ == "__main__":
    ValidatingController.launch_instance()
