"""`RichController`, and the ways to have ipyparallel launch it.

The stock controller launches this scheduler if two of its methods are replaced by those
of `RichController`; `register` does that.
"""

from __future__ import annotations

import sys
from typing import Any

from ipyparallel.cluster.launcher import LocalControllerLauncher
from ipyparallel.controller.app import IPController
from ipyparallel.controller.dictdb import DictDB
from ipyparallel.controller.task_scheduler import TaskScheduler
from ipyparallel.util import disambiguate_url
from traitlets import TraitError, default
from traitlets.config import Config

from ..core.engines.schemes import SchemeError
from ..scheduler.task_scheduler import RichTaskScheduler
from .config_files import config_file_error
from .results import RichDictDB

_REPLACED = ("load_secondary_config", "get_python_scheduler_args")
_stock: dict[str, Any] = {name: getattr(IPController, name, None) for name in _REPLACED}


class RichController(IPController):
    """`ipcontroller` with `RichTaskScheduler` in the place of the stock task scheduler."""

    # The names of `ipcontroller_config.py` and of the connection files depend on this.
    name = "ipcontroller"
    db_class: type
    classes = [
        RichTaskScheduler if cls is TaskScheduler else cls for cls in IPController.classes
    ] + [TaskScheduler]

    def load_secondary_config(self) -> None:
        """Finish loading the configuration; stop here if the scheduler cannot start with it."""
        if error := config_file_error(self):
            raise TraitError(error)
        _stock["load_secondary_config"](self)
        if self.db_class is DictDB:
            self.db_class = RichDictDB
        # traitlets sets `--scheme` on RichTaskScheduler, a subclass of TaskScheduler; the stock
        # controller looks for the setting of TaskScheduler itself.
        if "RichTaskScheduler.scheme_name" in self.config:
            scheme_name = self.config.RichTaskScheduler.pop("scheme_name")
            self.config.TaskScheduler.scheme_name = scheme_name
        if self.config.TaskScheduler.get("scheme_name") in ("pure", "none"):
            return
        try:
            RichTaskScheduler(config=self.config, log=self.log)
        except SchemeError as error:
            raise TraitError(str(error)) from None

    def get_python_scheduler_args(
        self, scheduler_name: str, scheduler_class: type, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """Put `RichTaskScheduler` where the stock controller names its own."""
        if scheduler_class is TaskScheduler:
            scheduler_class = RichTaskScheduler
        launch: dict[str, Any] = _stock["get_python_scheduler_args"](
            self, scheduler_name, scheduler_class, *args, **kwargs
        )
        if scheduler_class is RichTaskScheduler:
            settings = Config(launch["config"].get("RichTaskScheduler", {}))
            settings.control = {"url": disambiguate_url(self.client_url("control"))}
            if self.enable_curve:
                settings.control |= {
                    "curve_serverkey": self.curve_publickey,
                    "curve_publickey": self.curve_publickey,
                    "curve_secretkey": self.curve_secretkey,
                }
            launch["config"] = {**launch["config"], "RichTaskScheduler": settings}
        return launch


def register() -> None:
    """Have the stock controller launch `RichTaskScheduler`.

    To be called from ``ipcontroller_config.py``, best in its first line: the controller then does
    not start if a later line raises an error. May be called any number of times.

    Raises
    ------
    RuntimeError
        If this version of ipyparallel has no such controller.
    """
    missing = [name for name in _REPLACED if _stock[name] is None]
    if missing:
        import ipyparallel

        raise RuntimeError(
            f"ipp_richsched cannot register with ipyparallel {ipyparallel.__version__}: its"
            f" IPController has no {' and no '.join(missing)}"
        )
    for name in _REPLACED:
        setattr(IPController, name, getattr(RichController, name))


class RichControllerLauncher(LocalControllerLauncher):
    """Launch a `RichController` as a regular external process."""

    @default("controller_cmd")
    def _controller_cmd_default(self) -> list[str]:
        return [sys.executable, "-m", "ipp_richsched"]

    @classmethod
    def class_get_help(cls, inst: Any = None) -> str:
        """Show the scheduler's settings as well: `ipcluster` knows no class that has them."""
        return f"{super().class_get_help(inst)}\n\n{RichTaskScheduler.class_get_help()}"


def main(argv: list[str] | None = None) -> None:
    """Run `RichController`, as `ipcontroller` runs the stock one."""
    RichController.launch_instance(argv=argv)
