"""Results of a `RichView`."""

from __future__ import annotations

from ipyparallel import AsyncResult

from .cancel import cancel


class RichResult(AsyncResult):
    """An `AsyncResult` that can be cancelled."""

    _is_cancelled = False

    def cancel(self) -> bool:
        """Take the task back, as `concurrent.futures.Future.cancel`.

        Returns
        -------
        bool
            Whether it will not run.  It is done then, and raises `TaskAborted`.
        """
        if not self.done():
            self._is_cancelled = set(cancel(self).values()) == {"cancelled"}
        return self._is_cancelled

    def cancelled(self) -> bool:
        """Whether `cancel` has taken it back."""
        return self._is_cancelled
