"""``ipp-richsched dashboard`` and ``demo --dashboard``: who serves the page, and until when."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial

import ipyparallel as ipp

from ..monitor.needs import check_bokeh
from .connect import connect, connection_file


class DashboardError(Exception):
    """It cannot be served; the text is one line that says why."""


def dashboard(
    profile: str | None, profile_dir: str | None, cluster_id: str | None, port: int
) -> None:
    """Serve the page of a cluster until Ctrl-C or SIGTERM.

    Parameters
    ----------
    profile, profile_dir, cluster_id : str or None
        Which cluster, as for ipcluster.
    port : int
        Where on this host; 0 for any port that is free.

    Raises
    ------
    DashboardError
        If the port is taken, or there is no Bokeh.
    ConnectError
        If there is no cluster to be asked.
    """
    _check_bokeh()
    from ..monitor.dashboard.server import DashboardServer, PortError
    from ..monitor.source import Cluster

    where = (profile, profile_dir, cluster_id)
    path = connection_file(*where)
    cluster = Cluster(partial(connect, *where), path)
    try:
        cluster.status()
        try:
            server = DashboardServer(cluster, f"{path}", port)
        except PortError as error:
            raise DashboardError(f"{error}: choose another one with --port") from None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: server.loop.add_callback_from_signal(server.loop.stop))
        print(server.url, flush=True)
        print("The page is served until Ctrl-C. Whoever has this address may read it.", flush=True)
        server.loop.start()
        server.close()
    finally:
        cluster.close()


def looked_at() -> Callable[[ipp.Client], AbstractContextManager[None]]:
    """What serves the page around a run: given its client, a context manager.

    Raises
    ------
    DashboardError
        If there is no Bokeh.
    """
    _check_bokeh()
    from ..monitor.dashboard.beside import dashboard

    @contextmanager
    def look(client: ipp.Client) -> Iterator[None]:
        board = dashboard(client)
        print(f"dashboard: {board.url}", flush=True)
        try:
            yield
            print("The cluster and its dashboard are there until you press Enter.", flush=True)
            with suppress(EOFError):
                input()
        finally:
            board.close()

    return look


def _check_bokeh() -> None:
    try:
        check_bokeh("the dashboard")
    except ImportError as error:
        raise DashboardError(f"{error}") from None
