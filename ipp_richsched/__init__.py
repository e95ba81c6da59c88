"""A task scheduler for IPython Parallel that never leaves a task waiting in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["RichController", "RichTaskScheduler", "__version__", "register"]

if TYPE_CHECKING:
    from .controller import RichController, register
    from .scheduler import RichTaskScheduler


def __getattr__(name: str) -> Any:
    # on demand: who imports ipp_richsched.core gets neither zmq nor ipyparallel
    if name in ("RichController", "register"):
        from . import controller

        return getattr(controller, name)
    if name == "RichTaskScheduler":
        from .scheduler import RichTaskScheduler

        return RichTaskScheduler
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
