"""A client of a cluster that runs, for commands."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import ipyparallel as ipp
from ipyparallel import error
from IPython.core.profiledir import ProfileDir, ProfileDirError
from IPython.paths import get_ipython_dir

TIMEOUT = 10.0
"""Seconds that a controller may take to answer."""


class ConnectError(Exception):
    """There is no cluster to be asked; the text is one line that says where it was looked for."""


@contextmanager
def connect(
    profile: str | None, profile_dir: str | None, cluster_id: str | None
) -> Iterator[ipp.Client]:
    """Connect to a cluster for the length of a ``with`` block.

    Parameters
    ----------
    profile, profile_dir, cluster_id : str or None
        Which one, as for ipcluster.

    Raises
    ------
    ConnectError
        If it is not there, does not answer, or its scheduler is not `RichTaskScheduler`.
    """
    path = connection_file(profile, profile_dir, cluster_id)
    if not path.exists():
        raise ConnectError(f"no cluster runs there: {path} does not exist")
    try:
        with redirect_stdout(io.StringIO()):  # the client prints what it waits for
            client = ipp.Client(str(path), timeout=TIMEOUT)
    except (OSError, ValueError, TypeError, LookupError, error.TimeoutError) as problem:
        text = " ".join(f"{problem}".split()) or type(problem).__name__
        raise ConnectError(f"no controller answers by {path}: {text}") from None
    try:
        yield client
    except (RuntimeError, TimeoutError, error.IPythonError) as problem:
        raise ConnectError(" ".join(f"{problem}".split())) from None
    finally:
        client.close(linger=0)


def connection_file(profile: str | None, profile_dir: str | None, cluster_id: str | None) -> Path:
    """Where the connection file of a cluster is while it runs.

    Parameters
    ----------
    profile, profile_dir, cluster_id : str or None
        Which one, as for ipcluster.

    Raises
    ------
    ConnectError
        If there is no such profile.
    """
    name = f"ipcontroller-{cluster_id}-client.json" if cluster_id else "ipcontroller-client.json"
    try:
        if profile_dir is not None:
            found = ProfileDir.find_profile_dir(os.path.expanduser(profile_dir))
        else:
            found = ProfileDir.find_profile_dir_by_name(get_ipython_dir(), profile or "default")
    except ProfileDirError as problem:
        raise ConnectError(f"no cluster runs there: {problem}") from None
    return Path(found.security_dir) / name
