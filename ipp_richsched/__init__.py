"""A task scheduler for IPython Parallel that never leaves a task waiting in silence."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "EngineBusy",
    "RichController",
    "RichTaskScheduler",
    "RichView",
    "__version__",
    "animate_dag",
    "cancel",
    "dashboard",
    "plot_dag",
    "plot_timeline",
    "progress",
    "register",
    "report",
    "status",
    "view",
    "why",
]

if TYPE_CHECKING:
    from .client.cancel import cancel
    from .client.progress import progress
    from .client.status import status
    from .client.view import RichView, view
    from .client.why import why
    from .controller.app import RichController, register
    from .monitor.dashboard.beside import dashboard
    from .monitor.report.write import report
    from .scheduler.task_scheduler import RichTaskScheduler
    from .wire.busy import EngineBusy
    from .workflows.pictures import animate_dag, plot_dag, plot_timeline

_HOMES = {
    "EngineBusy": ".wire.busy",
    "RichController": ".controller.app",
    "RichTaskScheduler": ".scheduler.task_scheduler",
    "RichView": ".client.view",
    "animate_dag": ".workflows.pictures",
    "cancel": ".client.cancel",
    "dashboard": ".monitor.dashboard.beside",
    "plot_dag": ".workflows.pictures",
    "plot_timeline": ".workflows.pictures",
    "progress": ".client.progress",
    "register": ".controller.app",
    "report": ".monitor.report.write",
    "status": ".client.status",
    "view": ".client.view",
    "why": ".client.why",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for, so that importing ipp_richsched.core loads neither zmq nor ipyparallel.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
