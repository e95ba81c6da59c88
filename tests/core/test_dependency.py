"""`Dependency` against `ipyparallel.Dependency`, whose rules it keeps."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import ipyparallel as ipp
import pytest
from hypothesis import given

from ipp_richsched.core.dependency import NOTHING, Dependency, Status

IDS = st.sampled_from([f"t{number}" for number in range(6)])


@given(
    ids=st.lists(IDS, max_size=5),
    succeeded=st.sets(IDS),
    failed=st.sets(IDS),
    all=st.booleans(),
    flags=st.sampled_from([(True, False), (False, True), (True, True)]),
    form=st.sampled_from(["arguments", "dict"]),
)
def test_it_agrees_with_ipyparallel(
    ids: list[str],
    succeeded: set[str],
    failed: set[str],
    all: bool,
    flags: tuple[bool, bool],
    form: str,
) -> None:
    failed -= succeeded
    stock = ipp.Dependency(ids, all, *flags)
    ours = Dependency(ids, all, *flags)
    if form == "dict":
        ours = Dependency.parse(stock.as_dict())
    outcomes = {**dict.fromkeys(succeeded, True), **dict.fromkeys(failed, False)}
    finished = [ours.accepts(outcomes[msg_id]) for msg_id in ours.ids if msg_id in outcomes]
    status = ours.status(finished.count(True), finished.count(False))
    assert (status is Status.MET) == stock.check(succeeded, failed)
    assert (status is Status.UNREACHABLE) == stock.unreachable(succeeded, failed)


@pytest.mark.parametrize("nothing", [None, [], "", {}, {"dependencies": []}])
def test_no_dependency_is_met(nothing: Any) -> None:
    assert Dependency.parse(nothing).status(0, 0) is Status.MET
    assert not Dependency.parse(nothing)


def test_one_id_may_come_without_a_list() -> None:
    assert Dependency.parse("t1").ids == ("t1",)
    assert NOTHING.ids == ()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (3, "3"),
        ([1], "1"),
        ({"dependencies": {"a": 1}}, "'a'"),
        ({"dependencies": ["t"], "all": "yes"}, "all"),
        ({"dependencies": ["t"], "success": None}, "success"),
    ],
)
def test_another_type_is_named(value: Any, named: str) -> None:
    with pytest.raises(TypeError, match=named):
        Dependency.parse(value)


def test_neither_success_nor_failure_is_an_error() -> None:
    with pytest.raises(ValueError, match="success"):
        Dependency(["t"], success=False)


def test_an_unpickled_msg_id_may_be_of_a_class_of_its_own() -> None:
    class Text(str):
        pass

    assert Dependency.parse([Text("t1"), "t2"]).ids == ("t1", "t2")
