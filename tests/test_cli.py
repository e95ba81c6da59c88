"""The command line itself, and `enable` and `disable` through it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from ipp_richsched.cli import main
from ipp_richsched.controller import enable

from .processes import script


@pytest.mark.parametrize(
    "command", ["enable", "disable", "demo", "replay", "explain", "status", "top"]
)
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"ipp-richsched {command}" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--help"])
    assert f"    {command} " in capsys.readouterr().out


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == version("ipp-richsched")


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["demo", "--no-such-option"]])
def test_a_wrong_command_line(arguments: list[str]) -> None:
    run = subprocess.run(
        [script("ipp-richsched"), *arguments], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("usage: ipp-richsched")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from ipp_richsched.cli import main\n"
        "try: main(['--help'])\n"
        "finally: sys.stderr.write(' '.join(sys.modules))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    heavy = {
        "IPython",
        "ipyparallel",
        "matplotlib",
        "textual",
        "tornado",
        "tqdm",
        "traitlets",
        "zmq",
    }
    assert heavy.isdisjoint(run.stderr.split())


def config(ipython_dir: Path, profile: str) -> Path:
    return ipython_dir / f"profile_{profile}" / "ipcontroller_config.py"


@pytest.mark.parametrize(
    ("options", "profile"), [([], "default"), (["--profile", "night"], "night")]
)
def test_enable_and_disable_say_what_they_did(
    options: list[str], profile: str, ipython_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(ipython_dir, profile)
    path.parent.mkdir()
    path.write_text("c = get_config()\n")

    def lines(command: str) -> list[str]:
        assert main([command, *options]) == 0
        output = capsys.readouterr()
        assert output.err == ""
        return output.out.splitlines()

    assert lines("disable") == [f"nothing to do: not enabled in {path}"]
    assert lines("enable") == [f"enabled in {path}"]
    assert "register()" in path.read_text()
    assert lines("enable") == [f"nothing to do: already enabled in {path}"]
    assert lines("disable") == [f"disabled in {path}"]
    assert path.read_text() == "c = get_config()\n"


def test_a_profile_that_enable_makes_is_said_to_be_new(
    ipython_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for said in ["enabled in {} (new profile)\n", "nothing to do: already enabled in {}\n"]:
        assert main(["enable", "--profile", "typo"]) == 0
        assert capsys.readouterr().out == said.format(config(ipython_dir, "typo"))


@pytest.mark.parametrize("command", ["enable", "disable"])
def test_a_name_of_a_profile_is_no_path(
    command: str, ipython_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--profile", "a/b"]) == 2
    error = "ipp-richsched: 'a/b' is no name of a profile, but a path\n"
    assert capsys.readouterr().err == error
    assert list(ipython_dir.iterdir()) == []


def test_sys_prefix_means_the_file_for_every_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    path = tmp_path / "etc" / "ipython" / "ipcontroller_config.py"
    assert main(["enable", "--sys-prefix"]) == 0
    assert path.exists()
    assert main(["disable", "--sys-prefix"]) == 0
    assert not path.exists()
    assert capsys.readouterr().out == f"enabled in {path}\ndisabled in {path}\n"


def test_a_profile_and_sys_prefix_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["enable", "--profile", "night", "--sys-prefix"])
    assert caught.value.code == 2


@pytest.mark.parametrize("command", ["enable", "disable"])
def test_an_error_is_one_line_on_stderr(
    command: str,
    ipython_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(path: Path) -> bool:
        raise enable.EnableError(f"{path}: read-only")

    monkeypatch.setattr(enable, command, fail)
    assert main([command]) == 2
    path = config(ipython_dir, "default")
    assert capsys.readouterr().err == f"ipp-richsched: {path}: read-only\n"
