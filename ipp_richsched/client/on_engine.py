"""What engines do with a chunk of a map, and with a call whose arguments are results.

Engines need not have this package, so the functions bring along all that they use.
"""

from __future__ import annotations

from typing import Any

from ipyparallel import interactive


@interactive
def run_chunk(f: Any, seconds: float | None, *columns: Any) -> list[Any]:
    """Call a function for each item of a chunk; an item that fails costs nothing but itself.

    The chunk ends early when it has run for `seconds`, or when an item finds that this engine is
    busy or unfit.  (If that is the first item, the scheduler gets the whole chunk back.)  An
    interrupt ends it, too: the item that was running, and those after it, have failed.

    Parameters
    ----------
    f : callable
    seconds : float or None
    *columns : iterable
        The arguments, as for the builtin `map`.

    Returns
    -------
    list
        The seconds it took; how many items were run; the failures, by position, each as the content
        of a reply to a single task; whether the values are pickled together; the pickled values.
    """
    import math
    import time
    import traceback

    from ipyparallel.serialize import serialize_object
    from ipyparallel.serialize.canning import can, can_map
    from IPython import get_ipython

    def failure(error):
        shell = get_ipython()
        kernel = getattr(shell, "kernel", None)
        try:
            text = str(error)
        except Exception as unprintable:
            text = f"Failed to cast exception to string: {unprintable!r}"
        trace = error.__traceback__
        trace = trace.tb_next or trace
        try:
            lines = shell.InteractiveTB.structured_traceback(type(error), error, trace, tb_offset=0)
        except Exception:
            lines = traceback.format_tb(trace)
        return {
            "ename": type(error).__name__,
            "evalue": text,
            "traceback": lines,
            "engine_info": kernel.get_engine_info(method="apply") if kernel is not None else {},
        }

    can(None)  # has ipyparallel look up the classes that it names in `can_map`
    start = time.perf_counter()
    rows = list(zip(*columns))  # noqa: B905  (the shortest ends it, as in the builtin)
    values: list[Any] = []
    failures = {}
    for position, row in enumerate(rows):
        if seconds is not None and position and time.perf_counter() - start > seconds:
            break
        try:
            values.append(f(*row))
        except BaseException as error:
            if type(error).__name__ in ("EngineBusy", "UnmetDependency"):
                if position:
                    break
                raise
            ends = len(rows) if isinstance(error, KeyboardInterrupt) else position + 1
            failures.update(dict.fromkeys(range(position, ends), failure(error)))
            values.extend([None] * (ends - position))
            if isinstance(error, KeyboardInterrupt):
                break

    blobs = []
    together = set(map(type, values)).isdisjoint(can_map)
    if together:
        try:
            blobs = serialize_object(values, item_threshold=0)
        except Exception:
            together = False
    if not together:
        for position, value in enumerate(values):
            try:
                blobs += serialize_object(value, buffer_threshold=math.inf)
            except Exception as error:
                failures[position] = failure(error)
                blobs.append(b"")
    return [time.perf_counter() - start, len(values), failures, together, *blobs]


@interactive
def call_with(f: Any, holes: list[Any], names: list[str], *arguments: Any, **values: Any) -> Any:
    """Call a function with values in the holes of its arguments.

    The scheduler puts the values in, as the last keyword arguments: see `client.arguments`.

    Parameters
    ----------
    f : callable
    holes : list of tuple
        For each the place of the argument; a tuple with the key in it, empty if the argument is the
        hole; and the name of a value, or a list of names.
    names : list of str
        What the last of the arguments are called that are given by name.
    *arguments
        The arguments, with something else in the holes.
    **values
        The values.
    """
    __tracebackhide__ = True  # users know nothing of this frame
    filled = list(arguments)
    tuples = []
    for place, inside, what in holes:
        value = [values[name] for name in what] if isinstance(what, list) else values[what]
        if not inside:
            filled[place] = value
            continue
        if isinstance(filled[place], tuple):
            filled[place] = list(filled[place])
            tuples.append(place)
        filled[place][inside[0]] = value
    for place in tuples:
        filled[place] = tuple(filled[place])
    by_place = len(filled) - len(names)
    return f(*filled[:by_place], **dict(zip(names, filled[by_place:])))  # noqa: B905
