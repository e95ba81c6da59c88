"""The real workflows that the tests read; they lie outside of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .processes import ROOT

DIRECTORY = Path(os.environ.get("WFINSTANCES", ROOT.parent / "shared" / "wfinstances"))
INSTANCES = sorted(DIRECTORY.glob("*.json"))


def _each_instance() -> pytest.MarkDecorator:
    reason = f"no workflows in {DIRECTORY}; the environment variable WFINSTANCES names another one"
    missing = pytest.param(DIRECTORY, marks=pytest.mark.skip(reason=reason), id="missing")
    cases = [pytest.param(path, id=path.stem) for path in INSTANCES] or [missing]
    return pytest.mark.parametrize("instance", cases)


each_instance = _each_instance()
"""Runs a test once for each workflow, as its argument `instance`; skips it where there is none."""
