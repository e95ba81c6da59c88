"""A plugin of pytest's: upstream's tests get rich views where they ask for load-balanced ones."""

from __future__ import annotations

from typing import Any

import ipyparallel as ipp

from ipp_richsched import RichView


def load_balanced_view(self: ipp.Client, targets: Any = None, **flags: Any) -> RichView:
    """In the place of the method of `Client`.

    It does not ask the scheduler who it is, as `ipp_richsched.view` does: in one of the tests a
    client gets the key of another cluster, and nobody would answer.
    """
    if targets is not None:
        targets = self._build_targets(targets)[1]
    return RichView(client=self, socket=self._task_stream, targets=targets, **flags)


ipp.Client.load_balanced_view = load_balanced_view
