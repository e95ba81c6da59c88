"""A client of a cluster that runs, for commands."""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import ipyparallel as ipp
from ipyparallel import error
from IPython.core.profiledir import ProfileDir, ProfileDirError
from IPython.paths import get_ipython_dir

from ..client.asking import RECONNECT

TIMEOUT = 10.0
"""Seconds that a controller may take to answer."""


OTHERS = 3
"""How many clusters are named at most that may be meant."""

_FILE = "ipcontroller-{}-client.json"


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
    how = f"start one: {_start(profile, profile_dir, cluster_id)}"
    if not path.exists():
        others = [f"--cluster-id={shlex.quote(name)}" for name in _other_clusters(path)]
        if others:
            how = f"others may run, try {' or '.join(others)}; or {how}"
        raise ConnectError(f"no cluster runs there: {path} does not exist; {how}")
    try:
        with redirect_stdout(io.StringIO()):  # the client prints what it waits for
            client = ipp.Client(str(path), timeout=TIMEOUT)
    except (OSError, ValueError, TypeError, LookupError, error.TimeoutError) as problem:
        text = " ".join(f"{problem}".split()) or type(problem).__name__
        text = f"no controller answers by {path}: {text}; if it has gone, {how}"
        raise ConnectError(text) from None
    try:
        yield client
    except (RuntimeError, TimeoutError, error.IPythonError) as problem:
        text = f"{problem}".removesuffix(RECONNECT)  # whoever is at a prompt has no client
        raise ConnectError(" ".join(text.split())) from None
    finally:
        client.close(linger=0)


def _start(profile: str | None, profile_dir: str | None, cluster_id: str | None) -> str:
    """What starts a cluster there."""
    words = ["ipcluster", "start", "--controller=richsched"]
    where = {"profile": profile, "profile-dir": profile_dir, "cluster-id": cluster_id}
    words += [f"--{name}={value}" for name, value in where.items() if value is not None]
    return shlex.join(words)


def _other_clusters(path: Path) -> list[str]:
    """The ids of clusters that have connection files beside it: `OTHERS`, the latest first.

    `ipp.Cluster` makes ids that begin with the time.
    """
    names = sorted(each.name for each in path.parent.glob(_FILE.format("*")))[::-1]
    begin, end = _FILE.split("{}")
    names = [name for name in names if name != path.name]
    return [name.removeprefix(begin).removesuffix(end) for name in names[:OTHERS]]


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
    name = _FILE.format(cluster_id) if cluster_id else "ipcontroller-client.json"
    try:
        if profile_dir is not None:
            found = ProfileDir.find_profile_dir(os.path.expanduser(profile_dir))
        else:
            found = ProfileDir.find_profile_dir_by_name(get_ipython_dir(), profile or "default")
    except ProfileDirError as problem:
        how = f"start one: {_start(profile, profile_dir, cluster_id)}"
        raise ConnectError(f"no cluster runs there: {problem}; {how}") from None
    return Path(found.security_dir) / name
