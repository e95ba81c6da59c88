"""Upstream's own tests, unmodified, under this scheduler."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .processes import SYS_PREFIX_CONFIG, Processes, kept, script

MODULES = (
    "test_lbview",
    "test_dependency",
    "test_client",
    "test_executor",
    "test_joblib",
    "test_label",
    "test_asyncresult",
)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as started:
        yield started


@pytest.fixture
def enabled(processes: Processes) -> Iterator[None]:
    """`ipp-richsched enable --sys-prefix`, undone however the test ends."""

    def config() -> str:
        return SYS_PREFIX_CONFIG.read_text() if SYS_PREFIX_CONFIG.exists() else ""

    before = config()
    with kept(SYS_PREFIX_CONFIG):
        status, output = processes.run(script("ipp-richsched"), "enable", "--sys-prefix")
        assert status == 0, output
        assert "ipp_richsched" in config()
        yield
        status, output = processes.run(script("ipp-richsched"), "disable", "--sys-prefix")
        assert status == 0, output
        # where it was enabled before the test, kept() enables it again
        assert config() == before or "ipp_richsched" in before


@pytest.mark.usefixtures("enabled")
def test_upstream_tests_pass_under_this_scheduler(
    processes: Processes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # an empty ini file, so that nothing of this project's own settings applies
    ini = tmp_path / "pytest.ini"
    ini.write_text("[pytest]\n")
    report = tmp_path / "report.xml"
    # -s: the controllers' output goes to the same log as pytest's own
    command = processes.start(
        *(sys.executable, "-m", "pytest", "-c", str(ini), "--rootdir", str(processes.cwd)),
        *("-p", "no:cacheprovider", "-s", "-q", f"--junitxml={report}", "--pyargs"),
        *(f"ipyparallel.tests.{module}" for module in MODULES),
    )
    status = command.wait(timeout=420)

    assert report.exists(), str(command)
    passed, skipped, failed = [], [], []
    for case in ElementTree.parse(report).iter("testcase"):
        name = str(case.get("name"))
        if case.find("skipped") is not None:
            skipped.append(name)
        elif problems := [*case.iter("failure"), *case.iter("error")]:
            failed.append(f"{name}\n{problems[0].text}")
        else:
            passed.append(name)
    assert not failed, "\n".join(failed)
    assert status == 0, str(command)
    assert len(passed) >= 100
    assert "test_z_crash" in passed

    assert "RichTaskScheduler started [leastload]" in command.log
    assert "Task scheduler started [" not in command.log, "the stock scheduler ran as well"
    with capsys.disabled():
        print(f"\nupstream's own tests: {len(passed)} passed; skipped: {', '.join(skipped)}")
