"""The stock controller, with the stock scheduler also where `ipp-richsched enable` was run."""

from __future__ import annotations

from ipyparallel.controller.app import IPController


class StockController(IPController):
    """`ipcontroller` as it is before any configuration file calls ``ipp_richsched.register()``."""

    name = "ipcontroller"

    # What `register` replaces in IPController; these are read when this module is imported.
    load_secondary_config = IPController.load_secondary_config
    get_python_scheduler_args = IPController.get_python_scheduler_args


if __name__ == "__main__":
    StockController.launch_instance()
