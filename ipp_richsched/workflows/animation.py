"""A run over again, as an animated picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .dag import DagPicture
from .palette import STATES
from .runs import ENDED, Run, Stretch

SECONDS, PICTURES = 10.0, 100
"""How long it takes, and of how many pictures it consists."""

_COLOURS = 64  # of the GIF: smaller files, and no more are in it
_STRIP = 0.35  # inches of the row of engines
_DEAD = "#777777"
_LAST = 2.0  # seconds that the last picture stays


def animate(run: Run, path: Path) -> None:
    """Write a GIF in which the tasks of a run light up as they ran.

    Parameters
    ----------
    run : Run
        What happened.
    path : pathlib.Path
        The file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    film = _Film(run)
    first, *others = [film.picture(number) for number in range(PICTURES + 1)]
    step = round(1000 * SECONDS / PICTURES)
    first.save(
        path,
        format="GIF",
        save_all=True,
        append_images=others,
        duration=[step] * PICTURES + [round(1000 * _LAST)],
        loop=0,
        optimize=True,
    )


class _Film:
    """Draws the pictures; all but the colours and the title stay from one to the next."""

    def __init__(self, run: Run) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._run = run
        self._stretches: dict[str, list[Stretch]] = {name: [] for name in run.engines}
        for task in run.tasks.values():
            for each in task.stretches:
                self._stretches[each.engine].append(each)
        dag = DagPicture(run)
        width, height = dag.size
        figure = Figure(figsize=(width, height + _STRIP), layout="constrained", dpi=90)
        self._canvas = FigureCanvasAgg(figure)
        self._axes, engines = figure.subplots(2, height_ratios=[height, _STRIP])
        self._dots = dag.draw(self._axes, " ")
        self._colours = dag.colours
        self._boxes = engines.bar(
            range(len(run.engines)), 1, width=0.9, edgecolor="0.4", linewidth=0.5
        )
        engines.set_axis_off()
        engines.set_ylim(0, 1)
        engines.set_xlim(-0.6, max(8, len(run.engines)) - 0.4)
        short = len(run.engines) > 10
        for place, name in enumerate(run.engines):
            text = name.removeprefix("engine ") if short else name
            engines.text(place, 0.5, text, ha="center", va="center", fontsize=7)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # everything has its place

    def picture(self, number: int) -> Any:
        """One of the pictures, as an image of Pillow's."""
        from PIL import Image

        run = self._run
        when = run.start + (run.end - run.start) * number / PICTURES
        states = [
            task.state if number == PICTURES else task.state_at(when) or "waiting"
            for task in run.tasks.values()
        ]
        self._dots.set_facecolors(self._colours(states))
        done = sum(state in ENDED for state in states)
        title = f"{when - run.start:.1f} s: {done} of {len(states)} tasks done"
        self._axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
        for name, box in zip(run.engines, self._boxes, strict=True):
            box.set_facecolor(self._colour_of_engine(name, when))
        self._canvas.draw()
        size = self._canvas.get_width_height()
        image = Image.frombuffer("RGBA", size, self._canvas.buffer_rgba())
        return image.convert("RGB").quantize(_COLOURS, method=Image.Quantize.FASTOCTREE)

    def _colour_of_engine(self, name: str, when: float) -> str:
        stretches = self._stretches[name]
        if any(each.end_state == "died" and when >= each.end for each in stretches):
            return _DEAD
        busy = any(each.start <= when < each.end for each in stretches)
        return STATES["running" if busy else "waiting"]
