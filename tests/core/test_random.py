"""Random lives of a core, judged by a model of the rules: see `world`."""

from __future__ import annotations

from random import Random
from unittest import mock

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ipp_richsched.core import step, values

from .world import play

pytestmark = pytest.mark.slow(10)

SEEDS = 1_500


SLICE = 4
"""So that every few steps a cascade is cut in two."""

PATIENCE = 3.0
"""So that clients are too late now and then."""


@mock.patch.object(step, "SLICE", SLICE)
@mock.patch.object(values, "PATIENCE", PATIENCE)
def test_random_lives_from_seeds() -> None:
    """Many, and fast; a seed that fails is named."""
    for seed in range(SEEDS):
        random = Random(seed)
        try:
            play(random, random.randrange(20, 120))
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


@mock.patch.object(step, "SLICE", SLICE)
@mock.patch.object(values, "PATIENCE", PATIENCE)
@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_random_lives_that_shrink(random: Random, steps: int) -> None:
    """Fewer, and slower: one that fails is made as short as can be."""
    play(random, steps)
