"""The methods of the stock scheduler whose state does not exist here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_NAMES = (
    "available_engines",
    "fail_unreachable",
    "handle_result",
    "handle_stranded_tasks",
    "handle_unmet_dependency",
    "job_timeout",
    "maybe_run",
    "save_unmet",
    "submit_task",
    "update_graph",
)


def _removed(name: str) -> Callable[..., None]:
    def method(self: object, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            f"{type(self).__name__}.{name}: the state that it changed in the stock scheduler is"
            " the core's here; override add_job, finish_job or the scheme"
        )

    method.__name__ = name
    return method


def without_removed_methods(cls: type) -> type:
    """Have the methods of a subclass of the stock scheduler raise where their state is gone."""
    for name in _NAMES:
        setattr(cls, name, _removed(name))
    return cls
