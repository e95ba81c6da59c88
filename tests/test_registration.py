"""The three ways to a controller that runs this scheduler, with real processes.

The entry point (`--controller=richsched`), `ipp-richsched enable` followed by the stock commands,
and `python -m ipp_richsched`.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import ipyparallel as ipp
import pytest

from .processes import PATIENCE, SYS_PREFIX_CONFIG, Command, Processes, script

pytestmark = pytest.mark.cluster

MODULE = (sys.executable, "-m", "ipp_richsched")
STOCK = (script("ipcontroller"),)
CONNECTION_FILES = ["ipcontroller-client.json", "ipcontroller-engine.json"]
STOCK_STARTED = "Task scheduler started ["


def started(scheme: str) -> str:
    return f"RichTaskScheduler started [{scheme}]"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as started:
        # An engine counts as registered after a heartbeat: every 250 ms instead of 3 s
        config(started).parent.mkdir()
        config(started).write_bytes(b"c = get_config()\r\nc.HeartMonitor.period = 250")
        yield started


def config(processes: Processes) -> Path:
    return processes.ipython_dir / "profile_default" / "ipcontroller_config.py"


def enable(processes: Processes) -> None:
    status, output = processes.run(script("ipp-richsched"), "enable")
    assert status == 0, output


@pytest.fixture(params=["enable", "module"])
def controller_command(request: pytest.FixtureRequest, processes: Processes) -> tuple[str, ...]:
    """What starts a controller with this scheduler: the stock command, or this package's."""
    if request.param == "module":
        return MODULE
    enable(processes)
    return STOCK


def start_controller(processes: Processes, *command: str, **env: str) -> Command:
    """Start a controller and wait until it can be connected to."""
    controller = processes.start(*command, **env)
    controller.wait_until(
        lambda: set(CONNECTION_FILES) <= set(processes.security_files()), "connection files"
    )
    return controller


def connect(processes: Processes) -> ipp.Client:
    security = processes.ipython_dir / "profile_default" / "security"
    return ipp.Client(str(security / "ipcontroller-client.json"), timeout=PATIENCE)


def check_tasks(client: ipp.Client) -> None:
    """A task runs, and another only after it."""
    view = client.load_balanced_view()
    first = view.apply_async(time.sleep, 0.3)
    with view.temp_flags(after=[first]):
        second = view.apply_async(math.factorial, 5)
    assert second.get(timeout=PATIENCE) == 120
    assert second.started >= first.completed


def check_stops(processes: Processes, controller: Command, *engines: Command) -> None:
    """Ctrl-C ends the controller and all its children, and removes its connection files."""
    for engine in engines:
        engine.process.terminate()
        engine.wait()
    assert controller.interrupt() == 0, str(controller)
    processes.wait_until_gone()
    assert processes.security_files() == []


def test_ipp_cluster_finds_it_by_its_entry_point(processes: Processes) -> None:
    cluster = ipp.Cluster(controller="richsched", n=2)
    with cluster as client:
        check_tasks(client)
        log = Path(cluster.controller.output_file).read_text()
    assert started("leastload") in log
    assert STOCK_STARTED not in log
    processes.wait_until_gone()


@pytest.mark.parametrize("way", ["entry point", "ipcluster_config.py", "enable"])
def test_ipcluster_start(processes: Processes, way: str) -> None:
    if way == "entry point":
        options = ("--controller=richsched", "--", "--TaskScheduler.scheme_name=lru")
    elif way == "ipcluster_config.py":
        setting = 'c.Cluster.controller_launcher_class = "richsched"'  # as README.md has it
        config(processes).with_name("ipcluster_config.py").write_text(setting)
        options = ("--", "--TaskScheduler.scheme_name=lru")
    else:
        with config(processes).open("a") as file:
            file.write("\nc.TaskScheduler.scheme_name = 'lru'\n")
        enable(processes)
        options = ()
    ipcluster = processes.start(script("ipcluster"), "start", "-n", "1", *options)
    ipcluster.wait_until(
        lambda: set(CONNECTION_FILES) <= set(processes.security_files()), "connection files"
    )
    with connect(processes) as client:
        client.wait_for_engines(1, timeout=PATIENCE)
        check_tasks(client)
    [log_file] = (processes.ipython_dir / "profile_default" / "log").glob("ipcontroller-*.log")
    assert started("lru") in log_file.read_text()
    ipcluster.interrupt()
    processes.wait_until_gone()


def test_enable_serves_the_stock_ipcontroller_and_disable_takes_it_back(
    processes: Processes,
) -> None:
    if SYS_PREFIX_CONFIG.exists() and "ipp_richsched" in SYS_PREFIX_CONFIG.read_text():
        pytest.skip("enabled for the whole environment, so that disable has no effect here")
    before = config(processes).read_bytes()
    enable(processes)
    assert config(processes).read_bytes() != before
    command = (*STOCK, "--TaskScheduler.scheme_name=twobin")

    controller = start_controller(processes, *command, IPP_ENABLE_CURVE="1")
    with connect(processes) as client:
        assert client.curve_serverkey
        # no engine yet: the task waits for the one that comes late
        early = client.load_balanced_view().apply_async(math.factorial, 4)
        engine = processes.start(script("ipengine"))
        assert early.get(timeout=PATIENCE) == 24
        check_tasks(client)
    assert started("twobin") in controller.log
    assert STOCK_STARTED not in controller.log
    check_stops(processes, controller, engine)

    status, output = processes.run(script("ipp-richsched"), "disable")
    assert status == 0, output
    assert config(processes).read_bytes() == before
    controller = start_controller(processes, *command)
    controller.wait_for_log(f"{STOCK_STARTED}twobin]")
    assert "RichTaskScheduler" not in controller.log


@pytest.mark.parametrize("option", ["--usethreads", "--IPController.enable_curve=True"])
def test_a_users_own_scheme_and_the_controllers_own_options(
    processes: Processes, controller_command: tuple[str, ...], option: str
) -> None:
    module = processes.cwd / "lib" / "my_schemes.py"
    module.parent.mkdir()
    module.write_text(
        "def last(loads):\n"
        "    print('my scheme sees', list(loads), flush=True)\n"
        "    return len(loads) - 1\n"
    )
    controller = start_controller(
        processes,
        *(*controller_command, option, "--TaskScheduler.scheme_name=my_schemes.last"),
        PYTHONPATH=str(module.parent),
    )
    engine = processes.start(script("ipengine"))
    with connect(processes) as client:
        assert bool(client.curve_serverkey) == ("curve" in option)
        client.wait_for_engines(1, timeout=PATIENCE)
        check_tasks(client)
    assert started("my_schemes.last") in controller.log
    controller.wait_for_log("my scheme sees [0]")
    check_stops(processes, controller, engine)


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("TaskScheduler.scheme_name=nonsense", ["scheme_name", "leastload", "twobin", "pure"]),
        ("TaskScheduler.scheme_name=no.such.module.function", ["scheme_name", "no.such.module"]),
        ("TaskScheduler.hwm=many", ["hwm", "many"]),
        ("RichTaskScheduler.engine_grace=-1", ["engine_grace", "-1"]),
        ("RichTaskScheduler.stranded_timeout=soon", ["stranded_timeout", "soon"]),
    ],
)
def test_a_bad_setting_stops_the_controller(
    processes: Processes, controller_command: tuple[str, ...], setting: str, names: list[str]
) -> None:
    status, output = processes.run(*controller_command, f"--{setting}")
    assert status != 0
    assert "Traceback" not in output
    assert [name for name in names if name not in output] == [], output
    processes.wait_until_gone()
    assert processes.security_files() == []


@pytest.mark.parametrize("option", ["--scheme=pure", "--TaskScheduler.scheme_name=none"])
def test_pure_and_none_stay_the_stock_controllers_own(
    processes: Processes, controller_command: tuple[str, ...], option: str
) -> None:
    scheme = option.partition("=")[2]
    controller = start_controller(processes, *controller_command, option)
    stock = {"pure": "using pure DEALER Task scheduler", "none": "using no Task scheduler"}
    controller.wait_for_log(stock[scheme])
    engine = processes.start(script("ipengine"))
    with connect(processes) as client:
        client.wait_for_engines(1, timeout=PATIENCE)
        assert client[:].apply_sync(math.factorial, 5) == [120]
        if scheme == "pure":
            assert client.load_balanced_view().apply_async(math.factorial, 5).get(PATIENCE) == 120
    assert "RichTaskScheduler started" not in controller.log
    check_stops(processes, controller, engine)


@pytest.mark.parametrize(
    "command", [MODULE, (script("ipcluster"), "start", "--controller=richsched")]
)
def test_help_all_shows_the_new_settings(processes: Processes, command: tuple[str, ...]) -> None:
    status, output = processes.run(*command, "--help-all")
    assert status == 0
    for setting in ("engine_grace", "stranded_timeout", "event_log"):
        assert f"--RichTaskScheduler.{setting}=" in output
