"""Pictures; matplotlib is needed only here, and only when one is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .attempts import Attempt

# matplotlib's own cycle without red, which says that something died.
_COLOURS = ("C0", "C1", "C2", "C4", "C5", "C6", "C7", "C8", "C9")


def timeline(attempts: Sequence[Attempt], path: Path, *, start: float, lower_bound: float) -> None:
    """Draw which engine ran what and when.

    Parameters
    ----------
    attempts : sequence of Attempt
        What ran. What stands before the first hyphen of a task's name gives its colour.
    path : pathlib.Path
        The picture; its suffix says the format.
    start : float
        The zero of the time axis, in seconds since the epoch.
    lower_bound : float
        The lower bound of the makespan, in seconds after `start`.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    OSError
        If the picture cannot be written.
    """
    # Without pyplot: no window, and no state that outlives the picture.
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    engines = sorted({attempt.engine for attempt in attempts})
    kinds = list(dict.fromkeys(_kind(attempt) for attempt in attempts))
    colours = {kind: _COLOURS[i % len(_COLOURS)] for i, kind in enumerate(kinds)}
    figure = Figure(figsize=(11, 1.8 + 0.45 * len(engines)), layout="constrained")
    axes = figure.add_subplot()
    for attempt in attempts:
        done = attempt.state == "done"
        axes.barh(
            attempt.engine,
            attempt.ended - attempt.started,
            left=attempt.started - start,
            height=0.8,
            color=colours[_kind(attempt)],
            alpha=1.0 if done else 0.4,
            hatch=None if done else "///",
            edgecolor="white" if done else "red",
        )
    bound = axes.axvline(lower_bound, color="black", linestyle="--", label="lower bound")
    handles = [*(Patch(color=colour, label=kind) for kind, colour in colours.items()), bound]
    killed = [attempt for attempt in attempts if attempt.state == "killed"]
    handles += axes.plot(
        [attempt.ended - start for attempt in killed],
        [attempt.engine for attempt in killed],
        "rX",
        markersize=12,
        label="killed",
    )
    axes.set_yticks(engines, [f"engine {engine}" for engine in engines])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds (hatched: an attempt that failed)")
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    figure.savefig(path, dpi=120)


def _kind(attempt: Attempt) -> str:
    return attempt.task.partition("-")[0]
