"""Upstream's own tests, unmodified, under this scheduler."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .processes import ROOT, Environment, Processes

pytestmark = [pytest.mark.cluster, pytest.mark.slow(20)]

MODULES = {
    "test_client": 40,
    "test_asyncresult": 40,
    "test_lbview": 18,
    "test_label": 4,
    "test_dependency": 5,
    "test_executor": 5,
    "test_joblib": 3,
}
"""How many tests of each must have passed, at least."""

TRIES = 3
"""How often tests that fail are run again: some assert that what sleeps for a quarter of a second
is over within one, whatever else the machine does."""

CRASH = "test_z_crash"
"""The one of `test_lbview` in which engines die."""


@pytest.fixture(scope="module")
def enabled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment with `ipp-richsched enable --sys-prefix`, which is undone in the end."""
    environment = Environment(tmp_path_factory.mktemp("environment"))
    config = environment.prefix / "etc" / "ipython" / "ipcontroller_config.py"
    with Processes(tmp_path_factory.mktemp("enabled")) as processes:
        command = environment.command("ipp-richsched", "enable", "--sys-prefix")
        status, output = processes.run(*command)
        assert status == 0, output
        assert "ipp_richsched" in config.read_text()
        yield environment
        command = environment.command("ipp-richsched", "disable", "--sys-prefix")
        status, output = processes.run(*command)
        assert status == 0, output
        assert not config.exists()


class Upstream:
    """Runs tests of upstream's.

    Parameters
    ----------
    module : str
        The module they are in.
    only : sequence of str
        The names of the tests; all if there are none.
    options : sequence of str
        Further options of pytest's.

    Attributes
    ----------
    passed, skipped : list of str
        The names of tests.
    failed : dict of str to str
        What went wrong, by the names of tests.
    command : Command
        What ran them, with its log.
    """

    def __init__(
        self,
        module: str,
        enabled: Environment,
        directory: Path,
        only: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        directory.mkdir()
        # an empty ini file, so that nothing of this project's own settings applies
        ini = directory / "pytest.ini"
        ini.write_text("[pytest]\n")
        report = directory / "report.xml"
        # some of the temporary files are left there
        temporary = directory / "temporary"
        temporary.mkdir()
        with Processes(directory) as processes:
            # -s: the controllers' output goes to the same log as pytest's own
            self.command = processes.start(
                *enabled.command("python", "-m", "pytest", "-c", str(ini)),
                *("--rootdir", str(processes.cwd), "-p", "no:cacheprovider", "-s", "-q"),
                *options,
                *(f"--junitxml={report}", "-k", " or ".join(only), "--pyargs", module),
                TMPDIR=str(temporary),
                PYTHONPATH=str(ROOT),
            )
            self.command.wait(timeout=600)
        assert report.exists(), str(self.command)
        self.passed: list[str] = []
        self.skipped: list[str] = []
        self.failed: dict[str, str] = {}
        for case in ElementTree.parse(report).iter("testcase"):
            test = str(case.get("name"))
            if case.find("skipped") is not None:
                self.skipped.append(test)
            elif problems := [*case.iter("failure"), *case.iter("error")]:
                self.failed[test] = f"{test}\n{problems[0].text}"
            else:
                self.passed.append(test)


RICH = ("test_asyncresult", "test_lbview", "test_dependency", "test_executor", "test_joblib")
"""Those that pass with rich views as well."""


@pytest.mark.parametrize(
    ("module", "options"),
    [
        *((module, ()) for module in MODULES),
        *(pytest.param(m, ("-p", "tests.rich_views"), id=f"{m}-rich views") for m in RICH),
    ],
)
def test_upstream_tests_pass_under_this_scheduler(
    module: str,
    options: Sequence[str],
    enabled: Environment,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = f"ipyparallel.tests.{module}"
    if module == "test_label" and not find_spec(name):
        pytest.skip("came with ipyparallel 9.1")
    run = Upstream(name, enabled, tmp_path / "first", options=options)
    failed = run.failed
    for number in range(TRIES):
        if failed:
            again = Upstream(name, enabled, tmp_path / f"again-{number}", [*failed], options)
            run.passed += again.passed
            failed = again.failed
    assert not failed, "\n".join(failed.values())
    assert len(run.passed) >= MODULES[module], str(run.command)
    assert (CRASH in run.passed) == (module == "test_lbview")

    assert "RichTaskScheduler started [leastload]" in run.command.log
    assert "Task scheduler started [" not in run.command.log, "the stock scheduler ran as well"
    with capsys.disabled():
        print(f"\nupstream's {module}: {len(run.passed)} passed; skipped: {run.skipped}")
