"""The command line: ``ipp-richsched``.

Subcommands import what they need when they run, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

_FAILED = 1
_BAD_INPUT = 2
_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_LONGEST = 86_400.0  # seconds
_FEWEST_TASKS = 12
_DASHBOARD_PORT = 8790
_LAST_PORT = 65_535


_WHICH_TASK = (
    "the task: its id, or a part of that which no other has (also as `top` and the report show it:"
    " 1b5f3922..4711_123), or a label that no other has"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process where it is not given.

    Returns
    -------
    int
        The exit status: 0 when all is well, 1 when a run did not go as it should, 2 for bad input.
    """
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except KeyboardInterrupt:
        print("ipp-richsched: interrupted", file=sys.stderr)
        return _INTERRUPTED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ipp-richsched", description="A task scheduler for IPython Parallel."
    )
    parser.add_argument("--version", action="version", version=version("ipp-richsched"))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    for name, run, text in (
        ("enable", _enable, "let the stock ipcontroller run this scheduler"),
        ("disable", _disable, "let the stock ipcontroller run its own scheduler again"),
    ):
        command = commands.add_parser(name, help=text, description=_sentence(text))
        where = command.add_mutually_exclusive_group()
        where.add_argument(
            "--profile",
            metavar="NAME",
            default="default",
            help="in this IPython profile (default: %(default)s)",
        )
        where.add_argument(
            "--sys-prefix",
            action="store_true",
            help="for every profile, in etc/ipython of this Python environment",
        )
        command.set_defaults(run=run)

    text = "run a DAG on a local cluster, and kill an engine on the way"
    command = commands.add_parser("demo", help=text, description=_sentence(text))
    _add_n(command, least=2)
    command.add_argument(
        "--tasks",
        metavar="N",
        type=_number(least=_FEWEST_TASKS),
        help="run a random DAG of so many short tasks instead, three of which fail; kill nothing",
    )
    command.add_argument(
        "--stock",
        action="store_true",
        help="run the same with the stock scheduler, too, and compare",
    )
    command.add_argument(
        "--dashboard", action="store_true", help="serve a page that shows it live, until Enter"
    )
    command.set_defaults(run=_demo)

    text = "run a WfCommons workflow (WfFormat 1.5) on a local cluster, its durations scaled"
    command = commands.add_parser("replay", help=text, description=_sentence(text))
    command.add_argument(
        "file",
        metavar="FILE.json",
        type=Path,
        nargs="?",
        help="the workflow (default: an example that comes with this package)",
    )
    _add_n(command, least=1)
    command.add_argument(
        "--seconds",
        metavar="S",
        type=_seconds,
        default=10.0,
        help="what max(critical path, work / engines) is scaled to (default: %(default)g)",
    )
    command.add_argument(
        "--order",
        choices=["fifo", "critical-path"],
        default="fifo",
        help="which of the tasks that may run comes first (default: %(default)s)",
    )
    command.set_defaults(run=_replay)

    text = "tell a task's story from an event log (c.RichTaskScheduler.event_log)"
    command = commands.add_parser("explain", help=text, description=_sentence(text))
    command.add_argument("log", metavar="LOG", type=Path, help="the event log")
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("msg_id", metavar="MSG_ID", nargs="?", help=_WHICH_TASK)
    what.add_argument(
        "--replay",
        action="store_true",
        help="feed the log to a new scheduler instead, and say where it decides otherwise",
    )
    command.set_defaults(run=_explain)

    text = "write what an event log tells as one HTML file, with pictures"
    command = commands.add_parser("report", help=text, description=_sentence(text))
    command.add_argument("log", metavar="LOG", type=Path, help="the event log")
    command.add_argument(
        "-o",
        "--output",
        metavar="FILE.html",
        type=Path,
        default=Path("run.html"),
        help="the file, which is replaced if it is there (default: %(default)s)",
    )
    command.set_defaults(run=_report)

    text = "say how things stand on a cluster that runs, and why tasks wait"
    command = commands.add_parser("status", help=text, description=_sentence(text))
    _add_cluster(command)
    command.add_argument("--json", action="store_true", help="as JSON, for programs")
    command.set_defaults(run=_status)

    text = "show how things stand on a cluster live in a terminal, until q is pressed"
    command = commands.add_parser("top", help=text, description=_sentence(text))
    _add_cluster(command)
    command.set_defaults(run=_top)

    text = "serve a page that shows how things stand on a cluster live, until Ctrl-C"
    command = commands.add_parser("dashboard", help=text, description=_sentence(text))
    _add_cluster(command)
    command.add_argument(
        "--port",
        metavar="N",
        type=_port,
        default=_DASHBOARD_PORT,
        help="where on this host; 0 for any port that is free (default: %(default)s)",
    )
    command.set_defaults(run=_dashboard)
    return parser


def _add_cluster(command: argparse.ArgumentParser) -> None:
    """Which cluster, as ipcluster has it."""
    command.add_argument("--profile", metavar="NAME", help="of this IPython profile")
    command.add_argument("--profile-dir", metavar="DIR", help="of the profile in this directory")
    command.add_argument("--cluster-id", metavar="ID", help="the cluster with this id")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _add_n(command: argparse.ArgumentParser, *, least: int) -> None:
    command.add_argument(
        "-n",
        type=_number(least=least),
        default=4,
        help="the number of engines (default: %(default)s)",
    )


def _number(*, least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, is {value}")
        return value

    return number


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"must be from 0 to {_LAST_PORT}, is {text}")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= _LONGEST:
        raise argparse.ArgumentTypeError(f"must be more than 0 and at most {_LONGEST:g}, is {text}")
    return value


def _enable(arguments: argparse.Namespace) -> int:
    from ..controller.enable import EnableError, config_path, enable

    try:
        path = config_path(_profile(arguments), arguments.sys_prefix)
        is_new = not arguments.sys_prefix and not path.parent.exists()
        changed = enable(path)
    except EnableError as error:
        return _error(error, _BAD_INPUT)
    if changed:
        print(f"enabled in {path}{' (new profile)' if is_new else ''}")
    else:
        print(f"nothing to do: already enabled in {path}")
    return 0


def _disable(arguments: argparse.Namespace) -> int:
    from ..controller.enable import EnableError, config_path, disable

    try:
        path = config_path(_profile(arguments), arguments.sys_prefix)
        changed = disable(path)
    except EnableError as error:
        return _error(error, _BAD_INPUT)
    print(f"disabled in {path}" if changed else f"nothing to do: not enabled in {path}")
    return 0


def _profile(arguments: argparse.Namespace) -> str | None:
    return None if arguments.sys_prefix else arguments.profile


def _demo(arguments: argparse.Namespace) -> int:
    from ..demo.run import demo
    from ..workflows.local_cluster import ClusterError
    from .dashboard import DashboardError, looked_at

    try:
        around = looked_at() if arguments.dashboard else None
        return demo(arguments.n, arguments.tasks, stock=arguments.stock, looked_at=around)
    except (ClusterError, DashboardError) as error:
        return _error(error, _FAILED)


def _replay(arguments: argparse.Namespace) -> int:
    from ..monitor.log_files import is_event_log
    from ..workflows.local_cluster import ClusterError
    from ..workflows.replay import EXAMPLE, replay
    from ..workflows.wfformat import WorkflowError

    path = arguments.file or EXAMPLE
    try:
        return replay(path, arguments.n, arguments.seconds, arguments.order)
    except WorkflowError as error:
        if not is_event_log(path):
            return _error(error, _BAD_INPUT)
        text = "an event log, no workflow: `ipp-richsched explain` and `report` read it"
        return _error(WorkflowError(f"{path}: {text}"), _BAD_INPUT)
    except ClusterError as error:
        return _error(error, _FAILED)


def _explain(arguments: argparse.Namespace) -> int:
    from ..core.log import LogError
    from ..monitor.explain import explain
    from ..monitor.replay import replay

    try:
        if not arguments.replay:
            print(explain(arguments.log, arguments.msg_id))
            return 0
        runs = replay(arguments.log)
    except LogError as error:
        return _error(error, _FAILED)
    print(*runs, sep="\n")
    return 0 if all(run.is_same for run in runs) else _FAILED


def _report(arguments: argparse.Namespace) -> int:
    from ..core.log import LogError
    from ..monitor.report.verdict import headline
    from ..monitor.report.write import report_of_log

    try:
        found = report_of_log(arguments.output, arguments.log)
    except (ImportError, LogError) as error:
        return _error(error, _FAILED)
    except OSError as error:
        return _error(OSError(f"{arguments.output}: {error.strerror or error}"), _FAILED)
    print(f"{arguments.output}: {headline(found.run)}")
    for note in found.notes:
        print(f"Note: {note}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from ..client.status import status
    from .connect import ConnectError, connect

    try:
        with connect(arguments.profile, arguments.profile_dir, arguments.cluster_id) as client:
            found = status(client)
    except ConnectError as error:
        return _error(error, _FAILED)
    print(json.dumps(found.to_dict(), indent=2) if arguments.json else found)
    return 0


def _top(arguments: argparse.Namespace) -> int:
    from .connect import ConnectError
    from .top import TopError, top

    try:
        top(arguments.profile, arguments.profile_dir, arguments.cluster_id)
    except (ConnectError, TopError) as error:
        return _error(error, _FAILED)
    return 0


def _dashboard(arguments: argparse.Namespace) -> int:
    from .connect import ConnectError
    from .dashboard import DashboardError, dashboard

    where = (arguments.profile, arguments.profile_dir, arguments.cluster_id)
    try:
        dashboard(*where, arguments.port)
    except (ConnectError, DashboardError) as error:
        return _error(error, _FAILED)
    return 0


def _error(error: Exception, status: int) -> int:
    print(f"ipp-richsched: {error}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
