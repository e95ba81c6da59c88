"""`RichView`: a `LoadBalancedView` that knows all that the scheduler can do."""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any

import ipyparallel as ipp
from ipyparallel.client.remotefunction import getname
from ipyparallel.client.view import save_ids, sync_results
from traitlets import Any as AnyTrait
from traitlets import List, validate

from ..wire.requests import HELLO
from ..wire.rich_flags import FUNCTION
from .arguments import Call
from .asking import ask
from .cancel import Results, cancel, take_aborts
from .executor import RichExecutor
from .flags import RICH, check, check_names
from .imap import LazyMap, start_imap
from .map import start_map
from .parallel import RichParallelFunction
from .results import RichResult, results_of
from .sent import remember_flags
from .values import keep_for


def view(rc: ipp.Client, targets: Any = None, **flags: Any) -> RichView:
    """A load-balanced view with rich scheduling.

    Parameters
    ----------
    rc : ipyparallel.Client
        The client.
    targets : list of int, slice, int, 'all', optional
        The engines that its tasks may run on, as in `Client.load_balanced_view`; by default all.
    **flags
        The flags of the view: see `RichView.set_flags`.

    Returns
    -------
    RichView
        The view.

    Raises
    ------
    NotRichError
        If the scheduler of this cluster is another one; the text says what to switch on.
    TypeError, ValueError
        If a flag cannot have its value.
    """
    ask(rc, HELLO)
    if targets is not None:
        targets = rc._build_targets(targets)[1]
    return RichView(client=rc, socket=rc._task_stream, targets=targets, **flags)


class RichView(ipp.LoadBalancedView):
    """A `LoadBalancedView` with the flags of `ipp_richsched`; made by `view`.

    In `apply`, `apply_async`, `apply_sync` and `executor.submit` results of tasks can be arguments
    of others: an `AsyncResult` of the same client among the arguments, or one level down in a list,
    a tuple or a dict.  The task waits for it, and the function gets its value.  If it fails, the
    task fails with `ImpossibleDependency`, which names what failed first.
    """

    priority = AnyTrait(None, allow_none=True)
    max_crashes = AnyTrait(None, allow_none=True)
    run_timeout = AnyTrait(None, allow_none=True)
    cost = AnyTrait(None, allow_none=True)

    _flag_names = List([*ipp.LoadBalancedView._flag_names.default_args[0], *RICH])

    def __init__(self, client: ipp.Client, socket: Any, **flags: Any) -> None:
        super().__init__(client=client, socket=socket, **flags)
        self.executor = RichExecutor(self)
        take_aborts(client)

    @validate("after", "follow", "timeout", "retries", "label", *RICH)
    def _validate_flag(self, proposal: Any) -> Any:
        check({proposal["trait"].name: proposal["value"]})
        return proposal["value"]

    def cancel(
        self, results_or_ids: Results | None = None, interrupt: bool = False
    ) -> dict[str, str]:
        """Take back tasks, by default all that this view has submitted.

        Parameters and what is returned are those of `ipp_richsched.cancel`.
        """
        if results_or_ids is None:
            results_or_ids = [*self.outstanding]
        return cancel(results_or_ids, self.client, interrupt)

    def abort(self, jobs: Any = None, targets: Any = None, block: bool | None = None) -> None:
        """Take back tasks, by default all that this view has submitted: see `cancel`.

        It is done at once, whatever the engines do; `block` does not matter.
        """
        self.client.abort([*self.outstanding] if jobs is None else jobs, targets, False)

    def set_flags(self, **flags: Any) -> RichView:
        """Set flags; all of them, or none if one is refused.

        Parameters
        ----------
        block, track, targets, after, follow, timeout, retries, label
            As in `LoadBalancedView.set_flags`.
        priority : int
            Tasks with a higher one come first; 0 by default.  A task that waits lends its priority
            to what it waits for.
        max_crashes : int
            After how many deaths of the engine that was running it a task may run again, whatever
            its `retries`, which then count failures only.  By default a death uses up a retry.
        run_timeout : float
            Seconds that an engine may take for a task: then it has failed with `TaskTimeout`.
        cost : float
            Seconds that a task will take, for ``c.RichTaskScheduler.order = "critical-path"``.  By
            default what tasks with the same `label`, or else of the same function, took so far.

        Raises
        ------
        KeyError
            If there is no such flag.
        TypeError, ValueError
            If a flag cannot have its value.
        """
        check_names(flags, self._flag_names)
        check(flags)
        super().set_flags(**flags)
        return self

    @sync_results
    @save_ids
    def _really_apply(
        self,
        f: Any,
        args: Any = None,
        kwargs: Any = None,
        block: bool | None = None,
        track: bool | None = None,
        **flags: Any,
    ) -> Any:
        """Submit one call; a flag that is None is the view's own.

        Results among the arguments, or one level down in a list, tuple or dict, are waited for, and
        the function gets their values: see `client.arguments`.
        """
        if self._socket.closed():
            raise RuntimeError("Task farming is disabled")
        metadata = {**self._metadata(flags), FUNCTION: getname(f)}
        call = Call(self.client, f, () if args is None else args, {} if kwargs is None else kwargs)
        keep = None
        if call.coming:
            metadata["arguments"] = [*call.coming]
            keep = partial(keep_for, self.client, call.coming)
        future = self.client.send_apply_request(
            self._socket,
            call.f,
            call.args,
            call.kwargs,
            track=self.track if track is None else track,
            metadata=metadata,
            message_future_hook=keep,
        )
        remember_flags(future, metadata)
        result = RichResult(self.client, future, fname=getname(f), targets=None, owner=True)
        if self.block if block is None else block:
            try:
                return result.get()
            except KeyboardInterrupt:
                pass
        return result

    def _metadata(self, flags: dict[str, Any]) -> dict[str, Any]:
        """The metadata of a task with these flags; one that is None is the view's own."""
        check(flags)
        names = (name for name in self._flag_names if name not in ("block", "track"))
        values = {name: flags.get(name) for name in names}
        values = {
            name: getattr(self, name) if value is None else value for name, value in values.items()
        }
        targets = values.pop("targets")
        if targets is not None:
            targets = self.client._build_targets(targets)[0]
        return {
            "after": self._render_dependency(values.pop("after")),
            "follow": self._render_dependency(values.pop("follow")),
            "targets": [ident.decode() for ident in targets or ()],
            "timeout": values.pop("timeout"),
            "retries": values.pop("retries"),
            "label": values.pop("label"),
            **{name: value for name, value in values.items() if value is not None},
        }

    @sync_results
    def map(
        self,
        f: Any,
        *sequences: Any,
        block: bool | None = None,
        chunksize: Any = "auto",
        ordered: bool = True,
        return_exceptions: bool = False,
        label: str | None = None,
    ) -> Any:
        """The builtin `map`, in parallel.

        An item that fails takes no other with it, and is the only one that is run again where the
        view has `retries`.  Other failures, such as the death of an engine, are those of a whole
        chunk: so each of its items fails with them.  An item that raises `EngineBusy` ends its
        chunk: what the chunk has done is kept, and the rest goes back to the queue.  For tasks that
        are `after` a map, a chunk has succeeded also where items in it have failed.

        Parameters
        ----------
        f : callable
        *sequences : sequence
            The arguments of the function.  The shortest says how many items there are; what has no
            length is made a list of.  Items are sent while the map runs, so leave them as they are.
        block : bool, optional
            Whether to wait for the results; by default as the view has it.
        chunksize : int or 'auto'
            How many items are one task.  By default so many as take 0.2 s, and fewer towards the
            end; chunks are then sent as earlier ones end.  With a number all are sent at once.
        ordered : bool
            Whether iterating over the result gives the items in their order, or as they arrive.
        return_exceptions : bool
            Whether exceptions come in the places of items that have failed.  By default the first
            is raised, when all items are done.
        label : str, optional
            In the place of the view's own.

        Returns
        -------
        MapResult or list
            The values, if it blocks.

        Raises
        ------
        ValueError
            If `chunksize` is neither.
        """
        return start_map(
            self,
            f,
            sequences,
            block=block,
            chunksize=chunksize,
            ordered=ordered,
            return_exceptions=return_exceptions,
            label=label,
        )

    @sync_results
    def imap(
        self,
        f: Any,
        *iterables: Any,
        ordered: bool = True,
        max_outstanding: Any = "auto",
        return_exceptions: bool = False,
        chunksize: Any = 1,
    ) -> LazyMap:
        """A lazy `map`: reads the iterables, which need not end, as results are taken.

        It reads no more when its result is closed, cancelled or garbage collected, or has raised an
        error; what is under way is left to end.

        Parameters
        ----------
        f : callable
        *iterables : iterable
            Read in a thread of their own, one at a time; the shortest ends it.
        ordered : bool
            Whether the results come in the order of the items, or as they arrive.
        max_outstanding : int or 'auto'
            How many chunks are read ahead of the results that were taken: two for each engine by
            default, 0 for all.
        return_exceptions : bool
            Whether exceptions come in the places of items that have failed.
        chunksize : int or 'auto'
            How many items are one task, as for `map`.

        Returns
        -------
        LazyMap
            An iterator, with `cancel` and `close`.

        Raises
        ------
        ValueError
            If `chunksize` or `max_outstanding` is neither.
        """
        run = start_imap(
            self,
            f,
            iterables,
            ordered=ordered,
            max_outstanding=max_outstanding,
            return_exceptions=return_exceptions,
            chunksize=chunksize,
        )
        lazy = LazyMap(run)
        weakref.finalize(lazy, run.stop)
        return lazy

    def parallel(self, dist: str = "b", block: bool | None = None, **flags: Any) -> Any:
        """A decorator: the function's `map` is that of this view.

        Called itself, it calls the function on parts of the sequences, as in ipyparallel.

        Parameters
        ----------
        dist : str
            How sequences are split for that: 'b' for parts, 'r' for every n-th.
        block : bool, optional
            Whether to wait for the results; by default as the view has it.
        **flags
            `chunksize`, `ordered`, `return_exceptions`, and flags of the view.
        """
        block = self.block if block is None else block
        return lambda f: RichParallelFunction(self, f, dist=dist, block=block, **flags)

    def get_result(
        self, indices_or_msg_ids: Any = None, block: bool | None = None, owner: bool = False
    ) -> Any:
        """The results of tasks, by their ids or their places in `history`.

        As `LoadBalancedView.get_result`, but that a list gives all of them in their order, also
        while some of them are under way.
        """
        if not isinstance(indices_or_msg_ids, (list, tuple)) or not indices_or_msg_ids:
            return super().get_result(indices_or_msg_ids, block=block, owner=owner)
        ids: list[str] = []
        for job in indices_or_msg_ids:
            if isinstance(job, ipp.AsyncResult):
                ids += job.msg_ids
            elif isinstance(job, (int, str)):
                ids.append(self.history[job] if isinstance(job, int) else job)
            else:
                raise TypeError(f"Expected msg_id, int, or AsyncResult, got {job!r}")
        result = results_of(self.client, ids, owner)
        if self.client.block if block is None else block:
            result.wait()
        return result

    def wait(self, jobs: Any = None, timeout: float = -1) -> Any:
        """As `LoadBalancedView.wait`; without `jobs` also for the maps that are under way."""
        if jobs is None:
            jobs = [*self.history, *self._outstanding_maps]
        return super().wait(jobs, timeout)
