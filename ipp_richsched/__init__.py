"""A task scheduler for IPython Parallel that never leaves a task waiting in silence."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["RichController", "RichTaskScheduler", "__version__", "register"]

if TYPE_CHECKING:
    from .controller.app import RichController, register
    from .scheduler.task_scheduler import RichTaskScheduler

_HOMES = {
    "RichController": ".controller.app",
    "RichTaskScheduler": ".scheduler.task_scheduler",
    "register": ".controller.app",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for, so that importing ipp_richsched.core loads neither zmq nor ipyparallel.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
