"""Upstream's own tests, unmodified, under this scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .processes import Environment, Processes

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


@pytest.mark.parametrize("module", MODULES)
def test_upstream_tests_pass_under_this_scheduler(
    module: str, enabled: Environment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"ipyparallel.tests.{module}"
    if module == "test_label" and not find_spec(name):
        pytest.skip("came with ipyparallel 9.1")
    # an empty ini file, so that nothing of this project's own settings applies
    ini = tmp_path / "pytest.ini"
    ini.write_text("[pytest]\n")
    report = tmp_path / "report.xml"
    # some of the temporary files are left there
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with Processes(tmp_path) as processes:
        # -s: the controllers' output goes to the same log as pytest's own
        command = processes.start(
            *enabled.command("python", "-m", "pytest", "-c", str(ini)),
            *("--rootdir", str(processes.cwd), "-p", "no:cacheprovider", "-s", "-q"),
            *(f"--junitxml={report}", "--pyargs", name),
            TMPDIR=str(temporary),
        )
        status = command.wait(timeout=600)

    assert report.exists(), str(command)
    passed, skipped, failed = [], [], []
    for case in ElementTree.parse(report).iter("testcase"):
        test = str(case.get("name"))
        if case.find("skipped") is not None:
            skipped.append(test)
        elif problems := [*case.iter("failure"), *case.iter("error")]:
            failed.append(f"{test}\n{problems[0].text}")
        else:
            passed.append(test)
    assert not failed, "\n".join(failed)
    assert status == 0, str(command)
    assert len(passed) >= MODULES[module]
    assert (CRASH in passed) == (module == "test_lbview")

    assert "RichTaskScheduler started [leastload]" in command.log
    assert "Task scheduler started [" not in command.log, "the stock scheduler ran as well"
    with capsys.disabled():
        print(f"\nupstream's {module}: {len(passed)} passed; skipped: {', '.join(skipped)}")
