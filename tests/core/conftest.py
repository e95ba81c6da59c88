"""What every test of the core may use."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest

from ipp_richsched.core import step

SLICE = 40
"""How much work one event may cost in these tests."""


@pytest.fixture(autouse=True)
def small_slices() -> Iterator[None]:
    """So that a few tasks suffice for more than a slice."""
    with mock.patch.object(step, "SLICE", SLICE):
        yield
