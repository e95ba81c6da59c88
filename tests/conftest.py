"""What every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def ipython_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty IPython directory, in force for this process and what it starts."""
    path = tmp_path / "ipython"
    path.mkdir()
    monkeypatch.setenv("IPYTHONDIR", str(path))
    return path
