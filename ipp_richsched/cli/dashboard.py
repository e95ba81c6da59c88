"""``ipp-richsched dashboard``: serves the page until it is stopped."""

from __future__ import annotations

import signal
from functools import partial

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
    try:
        from ..monitor.dashboard.server import DashboardServer, PortError
        from ..monitor.source import Cluster
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "bokeh":
            raise
        raise DashboardError(
            f"{error}; the dashboard needs Bokeh: pip install 'ipp-richsched[dashboard]'"
        ) from None
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
