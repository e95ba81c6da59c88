"""The settings of the metrics, and how they begin to be served."""

from __future__ import annotations

import errno
import importlib
import socket
from functools import partial
from typing import Any

from tornado.netutil import bind_sockets
from traitlets import HasTraits, Integer, TraitError, Unicode, validate

from ..core.durations import Durations
from .lines import Lines
from .sight import Sights

_IP_IS_WRONG = {errno.EADDRNOTAVAIL, errno.EINVAL}


class Metering(HasTraits):
    """What of `RichTaskScheduler` is about its metrics."""

    metrics_port = Integer(
        None,
        min=0,
        max=65535,
        allow_none=True,
        config=True,
        help="""The port on which the scheduler serves metrics for Prometheus, at /metrics. 0: any
        free port, which the log names. None: there are none. Needs `ipp-richsched[metrics]`.""",
    )

    metrics_ip = Unicode(
        "127.0.0.1",
        config=True,
        help="""The address on which metrics are served: by default of this host only; '*' for all.
        Whoever reaches it may read the names of labels, errors and hosts.""",
    )

    log: Any

    @validate("metrics_port", "metrics_ip")
    def _validate_metrics(self, proposal: Any) -> Any:
        # traitlets asks when all settings are there
        if self.metrics_port is not None:
            self._check_metrics()
        return proposal.value

    def _check_metrics(self) -> None:
        """Raise a TraitError if the metrics cannot be served."""
        name = type(self).__name__
        try:
            importlib.import_module("prometheus_client")
        except ImportError:
            raise TraitError(
                f"{name}.metrics_port: prometheus-client is not there; it comes with"
                " pip install 'ipp-richsched[metrics]'"
            ) from None
        try:
            for listening in self._bind_metrics():
                listening.close()
        except (OSError, UnicodeError) as error:  # a name with an empty part is a UnicodeError
            number = getattr(error, "errno", None)
            if not isinstance(error, OSError) or isinstance(error, socket.gaierror):
                number = errno.EINVAL
            if number in _IP_IS_WRONG:
                problem = f"metrics_ip: {self.metrics_ip!r} is no address of this host: {error}"
            else:
                problem = (
                    f"metrics_port: {self.metrics_port} cannot be had on {self.metrics_ip}:"
                    f" {error}. 0 takes any port that is free"
                )
            raise TraitError(f"{name}.{problem}") from None

    def _bind_metrics(self) -> list[socket.socket]:
        assert self.metrics_port is not None
        ip = "" if self.metrics_ip == "*" else self.metrics_ip
        if not ip and self.metrics_ip != "*":
            raise socket.gaierror("it is empty")
        return bind_sockets(self.metrics_port, ip)

    def _make_durations(self) -> Durations | None:
        """Where the core counts how long tasks take; None if nobody wants to know."""
        return Durations() if self.metrics_port is not None else None

    def _begin_metrics(
        self, sights: Sights, durations: Durations | None, loop: Any, lines: Lines
    ) -> None:
        """Serve metrics once the loop runs, if that is set."""
        if durations is not None:
            loop.add_callback(self._serve_metrics, sights, durations, loop, lines)

    def _serve_metrics(self, sights: Sights, durations: Durations, loop: Any, lines: Lines) -> None:
        # Both load prometheus_client, which need not be there.
        from .metrics import Metrics
        from .metrics_server import MetricsServer, url_of

        def take() -> Metrics:
            return Metrics(sights.status(b"", 0), durations.copy())

        warn = partial(lines.put, "metrics")
        try:
            sockets = self._bind_metrics()
        except OSError as error:  # the port was free when the controller started
            warn(f"there are no metrics: port {self.metrics_port} cannot be had: {error}")
            return
        server = MetricsServer(take, loop, warn)
        server.add_sockets(sockets)
        self.log.info("task::metrics are at %s", url_of(sockets[0], self.metrics_ip))
