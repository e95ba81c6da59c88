"""The executor of a `RichView`."""

from __future__ import annotations

from ipyparallel.client.view import ViewExecutor


class RichExecutor(ViewExecutor):
    """A `ViewExecutor` that can take back what it was given."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Wait for what was submitted; the engines go on.

        Parameters
        ----------
        wait : bool
            Whether to wait until all of it is finished.
        cancel_futures : bool
            Whether to take back what no engine has.
        """
        if cancel_futures:
            self.view.cancel()
        super().shutdown(wait)
