"""The chain of tasks that takes longest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def longest_chain(
    parents: Iterable[tuple[str, Iterable[str]]], seconds: Mapping[str, float]
) -> list[str]:
    """The chain of tasks that takes longest, the first one first.  O(tasks + dependencies).

    Parameters
    ----------
    parents : iterable of pairs of str and iterable of str
        Tasks, and what each comes after; those come before it.
    seconds : mapping of str to float
        What each task takes.

    Returns
    -------
    list of str
    """
    longest: dict[str, float] = {}
    before: dict[str, str | None] = {}
    for name, its in parents:
        parent = max(its, key=longest.__getitem__, default=None)
        before[name] = parent
        longest[name] = seconds[name] + (longest[parent] if parent is not None else 0.0)
    chain = []
    last = max(longest, key=longest.__getitem__, default=None)
    while last is not None:
        chain.append(last)
        last = before[last]
    return chain[::-1]
