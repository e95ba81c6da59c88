"""``ipp-richsched top``: what has to be there before the screen is taken."""

from __future__ import annotations

import os
import sys
from functools import partial

from .connect import connect, connection_file


class TopError(Exception):
    """It cannot be shown; the text is one line that says why."""


def top(profile: str | None, profile_dir: str | None, cluster_id: str | None) -> None:
    """Show how things stand on a cluster until the user quits.

    Parameters
    ----------
    profile, profile_dir, cluster_id : str or None
        Which cluster, as for ipcluster.

    Raises
    ------
    TopError
        If there is no terminal, or no textual.
    ConnectError
        If there is no cluster to be asked.
    """
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not is_terminal or os.environ.get("TERM", "dumb") == "dumb":
        raise TopError("top needs a terminal; `ipp-richsched status` prints the same once")
    try:
        from ..monitor.source import Cluster
        from ..monitor.top.app import Top
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in ("textual", "rich"):
            raise
        raise TopError(f"{error}; top needs textual: pip install 'ipp-richsched[top]'") from None
    where = (profile, profile_dir, cluster_id)
    path = connection_file(*where)
    cluster = Cluster(partial(connect, *where), path)
    try:
        first = cluster.status()
        Top(cluster, f"{path}", first).run()
    finally:
        cluster.close()
