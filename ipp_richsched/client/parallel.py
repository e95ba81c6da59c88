"""The decorator `RichView.parallel`."""

from __future__ import annotations

from typing import Any

from ipyparallel.client.remotefunction import ParallelFunction

from .chunks import check_chunksize, parts
from .map import start_map


class RichParallelFunction(ParallelFunction):
    """A function whose `map` is that of a `RichView`; made by `RichView.parallel`."""

    def __init__(self, view: Any, f: Any, chunksize: Any = None, **flags: Any) -> None:
        if chunksize is not None:
            check_chunksize(chunksize)
        super().__init__(view, f, chunksize=chunksize, **flags)

    def __call__(self, *sequences: Any) -> Any:
        """Call the function on parts of the sequences, and join the lists that it returns."""
        lists = [
            sequence if hasattr(sequence, "__len__") else list(sequence) for sequence in sequences
        ]
        lengths = list(map(len, lists))
        if len(set(lengths)) > 1:
            raise ValueError(f"all sequences must have equal length, but have {lengths}")
        if not lengths or not lengths[0]:
            return []
        size = check_chunksize(self.chunksize or 1) or 1
        number = len(parts(lengths[0], size))
        split = self.mapObject.getPartition
        columns = [
            [split(each, part, number, lengths[0]) for part in range(number)] for each in lists
        ]
        return self._run(columns, chunksize=1, join=self.mapObject.joinPartitions)

    def map(self, *sequences: Any) -> Any:
        """Call the function on each item of the sequences, as `RichView.map` does."""
        return self._run(sequences, chunksize=self.chunksize or "auto")

    def _run(self, sequences: Any, **how: Any) -> Any:
        block = self.view.block if self.block is None else self.block
        with self.view.temp_flags(**self.flags):
            result = start_map(
                self.view,
                self.func,
                tuple(sequences),
                block=False,
                ordered=self.ordered,
                return_exceptions=self.return_exceptions,
                **how,
            )
        if block:
            try:
                return result.get()
            except KeyboardInterrupt:
                pass
        return result
