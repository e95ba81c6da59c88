"""The executor of a `RichView`."""

from __future__ import annotations

import warnings
from typing import Any

from ipyparallel.client.view import ViewExecutor

from .imap import ImapRun, LazyMap, start_imap


class RichExecutor(ViewExecutor):
    """A `ViewExecutor` that can take back what it was given."""

    def __init__(self, view: Any) -> None:
        super().__init__(view)
        self._maps: list[ImapRun] = []

    def map(
        self,
        func: Any,
        *iterables: Any,
        ordered: bool = True,
        max_outstanding: Any = "auto",
        return_exceptions: bool = False,
        chunksize: Any = 1,
        timeout: float | None = None,
    ) -> LazyMap:
        """As `RichView.imap`, but that it goes on while nobody takes the results.

        So what counts as outstanding is what has not ended.
        """
        if timeout is not None:
            warnings.warn("timeout unsupported in ViewExecutor.map", stacklevel=2)
        run = start_imap(
            self.view,
            func,
            iterables,
            ordered=ordered,
            max_outstanding=max_outstanding,
            return_exceptions=return_exceptions,
            chunksize=chunksize,
            eager=True,
        )
        self._maps = [each for each in self._maps if not each.all_read] + [run]
        return LazyMap(run)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for what was submitted; the engines go on.

        Parameters
        ----------
        wait : bool
            Whether to wait until all of it is finished.
        cancel_futures : bool
            Whether to take back what no engine has; what one has is not retried then.
        """
        if cancel_futures:
            for run in self._maps:
                run.stop()
            self.view.cancel()
        if wait:
            for run in self._maps:
                run.wait_until_read()
            self.view.wait()
