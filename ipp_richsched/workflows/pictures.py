"""Pictures of what happened to tasks: `plot_timeline`, `plot_dag` and `animate_dag`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..client.sent import Named
from .animation import animate
from .dag import DagPicture
from .gather import run_of
from .runs import Run
from .timeline import QUEUE, draw_timeline, height

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH = 11.0  # inches of a timeline


def plot_timeline(results: Named, title: str = "") -> Figure:
    """Draw which engine ran what and when, and below it how many tasks waited, and for what.

    Bars have the colours of the tasks' labels or functions.  Attempts that failed are hatched, and
    so are those that died with their engine.  Tasks that never ran have a mark when their error
    came.  Below, a task is queued when it could run and no engine works on it; before that it waits
    for others.  (If it is not known when these ended, it counts as queued from the beginning.)

    Parameters
    ----------
    results : AsyncResult, iterable of AsyncResult, or mapping to AsyncResult
        Finished or not.  In a mapping, tasks are called by its keys; else by labels or functions.
    title : str, optional
        What stands above it.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If something is no AsyncResult.
    """
    pyplot = _pyplot()
    run = run_of(results)
    figure = pyplot.figure(figsize=timeline_size([run]), layout="constrained")
    draw_timelines(figure, {title or counted(run): run})
    return _shown_once(pyplot, figure)


def plot_dag(results: Named, title: str = "") -> Figure:
    """Draw tasks and their dependencies, coloured by how they stand, with the critical path.

    From left to right each task stands behind all that it waited for.  The critical path is the
    chain that takes longest, by what its tasks took on engines, all attempts together, or else are
    expected to take.  What they waited for an engine is not in it.

    Parameters
    ----------
    results, title
        As for `plot_timeline`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError, TypeError
        As for `plot_timeline`.
    """
    pyplot = _pyplot()
    run = run_of(results)
    picture = DagPicture(run)
    figure = pyplot.figure(figsize=picture.size, layout="constrained")
    picture.draw(figure.subplots(), title or counted(run))
    return _shown_once(pyplot, figure)


def animate_dag(results: Named, path: str | PathLike[str]) -> Path:
    """Write an animated picture (GIF) of a run: ten seconds in which tasks light up as they ran.

    Parameters
    ----------
    results
        As for `plot_timeline`.
    path : str or path-like
        The file; one that is there is replaced.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ImportError, TypeError
        As for `plot_timeline`.
    OSError
        If the file cannot be written.
    """
    _pyplot()
    animate(run_of(results), Path(path))
    return Path(path)


@contextmanager
def told_if_not_drawn() -> Iterator[None]:
    """For commands, which go on without a picture that cannot be drawn: print why."""
    try:
        yield
    except ImportError as error:
        print(f"no picture: {error}; pip install 'ipp-richsched[plot]' brings it")
    except OSError as error:
        print(f"no picture: {error}")


def save_timelines(runs: dict[str, Run], path: Path) -> None:
    """Draw timelines below each other, by their titles, into a file.

    Parameters
    ----------
    runs : dict of str to Run
    path : pathlib.Path
        Its suffix says the format.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    OSError
        If the file cannot be written.
    """
    # Without pyplot: no window, and no state that outlives the picture.
    from matplotlib.figure import Figure

    figure = Figure(figsize=timeline_size([*runs.values()]), layout="constrained")
    draw_timelines(figure, runs)
    figure.savefig(path, dpi=120)


def timeline_size(runs: list[Run]) -> tuple[float, float]:
    """Inches that timelines below each other need."""
    return _WIDTH, 0.5 + sum(height(run) + QUEUE + 0.7 for run in runs)


def draw_timelines(figure: Any, runs: dict[str, Run]) -> None:
    """Draw timelines below each other, by their titles."""
    ratios = [ratio for run in runs.values() for ratio in (height(run), QUEUE)]
    axes = figure.subplots(2 * len(runs), squeeze=False, height_ratios=ratios)[:, 0]
    for number, (title, run) in enumerate(runs.items()):
        rows, queue = axes[2 * number], axes[2 * number + 1]
        queue.sharex(rows)
        rows.tick_params(labelbottom=False)
        draw_timeline(run, rows, queue, title)


def counted(run: Run) -> str:
    """A title that says what there is."""
    seconds = run.end - run.start
    return f"{len(run.tasks)} tasks on {len(run.engines)} engines in {seconds:.3g} s"


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            f"{error}; pictures need matplotlib: pip install 'ipp-richsched[plot]'"
        ) from error
    return pyplot


def _shown_once(pyplot: Any, figure: Any) -> Any:
    """The figure; a notebook shows what a cell returns, and would show it once more at its end."""
    if "inline" in pyplot.get_backend():
        pyplot.close(figure)
    return figure
