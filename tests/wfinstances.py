"""The real workflows that the tests read; they lie outside of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .processes import ROOT

DIRECTORY = Path(os.environ.get("WFINSTANCES", ROOT.parent / "shared" / "wfinstances"))
INSTANCES = sorted(DIRECTORY.glob("*.json"))


_REASON = f"no workflows in {DIRECTORY}; the environment variable WFINSTANCES names another one"

needs_instances = pytest.mark.skipif(not INSTANCES, reason=_REASON)
"""Skips a test of all workflows where there is none."""


def _each_instance() -> pytest.MarkDecorator:
    missing = pytest.param(DIRECTORY, marks=pytest.mark.skip(reason=_REASON), id="missing")
    cases = [pytest.param(path, id=path.stem) for path in INSTANCES] or [missing]
    return pytest.mark.parametrize("instance", cases)


each_instance = _each_instance()
"""Runs a test once for each workflow, as its argument `instance`; skips it where there is none."""
