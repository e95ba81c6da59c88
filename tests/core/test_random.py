"""Random lives of a core, judged by a model of the rules: see `world`."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from unittest import mock

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ipp_richsched.core import machine, step

from .world import play

SEEDS = 1_500


@pytest.fixture(scope="module", autouse=True)
def small_slices() -> Iterator[None]:
    """So that every few steps a cascade is cut in two."""
    with mock.patch.object(step, "SLICE", 4), mock.patch.object(machine, "SLICE", 4):
        yield


def test_random_lives_from_seeds() -> None:
    """Many, and fast; a seed that fails is named."""
    for seed in range(SEEDS):
        random = Random(seed)
        try:
            play(random, random.randrange(20, 120))
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_random_lives_that_shrink(random: Random, steps: int) -> None:
    """Fewer, and slower: one that fails is made as short as can be."""
    play(random, steps)
