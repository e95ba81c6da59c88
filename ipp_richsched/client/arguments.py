"""Results among the arguments of a call: their values take their places.

The value of a result that is there goes with the task.  One that is still to come is put in by the
scheduler, which has the reply: without a trip over this client, and without unpacking it.  For that
the task's message ends where the values begin: its function is `call_with`, the values are its only
keyword arguments, and an engine takes these one after the other from the buffers that are left.
"""

from __future__ import annotations

from typing import Any

import ipyparallel as ipp
from ipyparallel import AsyncMapResult, AsyncResult, Reference
from ipyparallel.client.asyncresult import AsyncHubResult
from ipyparallel.serialize import PrePickled

from .on_engine import call_with

_CONTAINERS = (list, tuple, dict)


class Call:
    """A call whose arguments may be results.

    Parameters
    ----------
    client : ipyparallel.Client
    f : callable
    args : sequence
    kwargs : dict

    Attributes
    ----------
    f, args, kwargs
        What is to be sent.
    coming : dict of str to Future
        The results that are still to come, by msg_id, in the order of the values.

    Raises
    ------
    TypeError, ValueError
        If a result among the arguments cannot be one.
    """

    def __init__(self, client: ipp.Client, f: Any, args: Any, kwargs: Any) -> None:
        self.f, self.args, self.kwargs = f, args, kwargs
        self.coming: dict[str, Any] = {}
        if not any(map(_holds_results, (*args, *kwargs.values()))):
            return
        self._client = client
        self._names: dict[str, str] = {}
        self._holes: list[tuple[int, tuple[Any, ...], Any]] = []
        arguments = [
            self._filled(place, argument)
            for place, argument in enumerate((*args, *kwargs.values()))
        ]
        if not self.coming:
            self.args = arguments[: len(args)]
            self.kwargs = dict(zip(kwargs, arguments[len(args) :], strict=True))
            return
        if not callable(f) and not isinstance(f, (Reference, PrePickled)):
            raise TypeError(f"f must be callable, not {type(f)}")
        self.f = call_with
        self.args = [f, self._holes, [*kwargs], *arguments]
        self.kwargs = {name: _Nothing() for name in self._names.values()}

    def _filled(self, place: int, argument: Any) -> Any:
        """An argument with values in the place of results, and holes."""
        if isinstance(argument, AsyncResult):
            return self._value(argument, place)
        if not _holds_results(argument):
            return argument
        items = argument.items() if type(argument) is dict else enumerate(argument)
        filled = {
            key: self._value(item, place, key) if isinstance(item, AsyncResult) else item
            for key, item in items
        }
        return filled if type(argument) is dict else type(argument)(filled.values())

    def _value(self, result: AsyncResult, place: int, *inside: Any) -> Any:
        """The value of a result; if it is still to come, there is a hole."""
        if result._client is not self._client:
            raise ValueError(
                f"{result!r} is the result of another client: only those of the view's own client"
                " can be arguments; take its value with .get()"
            )
        if result.done() and (result.exception() is None or not _is_plain(result)):
            return result.get()
        if not _is_plain(result):
            raise TypeError(
                f"{result!r} comes in several parts, or from the hub, and cannot be an argument"
                " before it is there: call its .wait() before"
            )
        names = []
        for future in result._children:
            self.coming[future.msg_id] = future
            names.append(self._names.setdefault(future.msg_id, _name(len(self._names))))
        self._holes.append((place, inside, names[0] if result._single_result else names))
        return None


def _holds_results(argument: Any) -> bool:
    """Whether an argument is a result, or holds one."""
    if isinstance(argument, AsyncResult):
        return True
    if type(argument) not in _CONTAINERS:
        return False
    items = argument.values() if type(argument) is dict else argument
    return any(isinstance(item, AsyncResult) for item in items)


def _is_plain(result: AsyncResult) -> bool:
    """Whether the value of a result is that of one task, or a list of such."""
    return not isinstance(result, (AsyncMapResult, AsyncHubResult))


def _name(number: int) -> str:
    """What a value is called; they are sent in alphabetical order."""
    return f"value_{number:09}"


class _Nothing(PrePickled):
    """In the place of a value that the scheduler puts in: it has no buffers."""

    def __init__(self) -> None:
        self.buffers: list[Any] = []
