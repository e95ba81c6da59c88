"""The dashboard beside a program or a notebook; nothing is loaded for it before it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipyparallel as ipp

from ..needs import check_bokeh

if TYPE_CHECKING:
    from .thread import Dashboard


def dashboard(rc: ipp.Client, port: int = 0) -> Dashboard:
    """Serve a page that shows live how things stand on a cluster.

    It asks the scheduler only while somebody has the page open.

    Parameters
    ----------
    rc : ipyparallel.Client
        Who asks; keep it open.
    port : int
        Where it is served, on this host only; 0 for any port that is free.

    Returns
    -------
    Dashboard
        Its `url` has the token that lets one in; a notebook shows it as a link.  `close()` ends it.

    Raises
    ------
    ImportError
        If Bokeh is not installed.
    NotRichError
        If the scheduler is not `RichTaskScheduler`.
    TimeoutError
        If the scheduler does not answer.
    OSError
        If the port is taken.
    """
    check_bokeh("the dashboard")
    from .thread import Dashboard

    return Dashboard(rc, port)
