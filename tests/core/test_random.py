"""Random lives of a core, judged by a model of the rules: see `world`."""

from __future__ import annotations

from random import Random
from unittest import mock

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ipp_richsched.core import step, values
from ipp_richsched.core.attempt_reasons import AnswerLost, ConnectionLost

from .world import World, play
from .world_records import Task

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


class FarAway(World):
    """Now and then an engine has no connection for long, and what it had is lost."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.long = 0
        self.given_up = 0

    def step(self) -> None:
        if self.long and self.random.random() < 0.9:
            self.long -= 1
            self.pass_time(self.random.choice([0.1, 0.3, 1.0]))
            self.send()
            return
        super().step()
        holding = [name for name in self.names if name in self.connected and self.held.get(name)]
        if holding and not self.long and self.random.random() < 0.05:
            self.long = 25
            self.disconnect(self.random.choice(holding))

    def judge_loss(self, task: Task, reason: AnswerLost | ConnectionLost) -> None:
        super().judge_loss(task, reason)
        self.given_up += isinstance(reason, ConnectionLost)


@mock.patch.object(step, "SLICE", SLICE)
@mock.patch.object(values, "PATIENCE", PATIENCE)
def test_random_lives_with_engines_far_away() -> None:
    given_up = 0
    for seed in range(SEEDS // 5):
        random = Random(seed)
        try:
            given_up += play(random, random.randrange(20, 120), FarAway).given_up
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
    assert given_up
