"""`enable` and `disable`: what the controller reads afterwards, and what is left behind."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ipyparallel.controller.app import IPController
from traitlets.config.loader import Config, PyFileConfigLoader

from ipp_richsched.controller.enable import EnableError, config_path, disable, enable

BOM = b"\xef\xbb\xbf"

VALID = {
    "empty": b"",
    "settings": b"c = get_config()\nc.TaskScheduler.hwm = 3\n",
    "no newline at the end": b"c.TaskScheduler.hwm = 3",
    "CRLF": b"c.TaskScheduler.hwm = 3\r\nif True:\r\n    c.TaskScheduler.hwm = 4\r\n",
    "CRLF, none at the end": b"c.TaskScheduler.hwm = 3\r\nc.TaskScheduler.hwm = 4",
    "CR": b"c.TaskScheduler.hwm = 3\r",
    "byte order mark": BOM + b"c.TaskScheduler.hwm = 3\n",
    "byte order mark alone": BOM,
    "coding cookie": b"# -*- coding: latin-1 -*-\nname = '\xe9'\n",
    "docstring and future": b'"""Mine."""\nfrom __future__ import annotations\n',
    "docstring alone": b'"""Mine."""',
    "docstring and more": b'"""Mine."""; x = [\n    1,\n]; y = 2\nz = 3\n',
    "docstring of lines": b'"""Mine.\n# coding: latin-1\n"""\nfrom __future__ import division; 1',
    "docstring and backslash": b'"""Mine.""" \\\n\nx = 1\n',
    "comments first": b"# Mine.\n\n# More.\nx = 1\n",
    "interpreter": b"#!/usr/bin/env python\nx = 1\n",
    "interpreter and cookie": b"#!python\n# vim: set fileencoding=latin-1 :\nname = '\xe9'\n",
    "cookie after a blank line": b"\r\n# coding: latin-1\r\nname = '\xe9'\r\n",
    "cookie alone": b"# coding: latin-1",
    "cookie and CR": b"# coding: latin-1\rname = '\xe9'\r",
    "cookie after a byte order mark": BOM + b"# coding: utf-8\nname = '\xc3\xa9'\n",
    "no cookie": b"x = [\n# coding: latin-1\n]\n",
    "if block": b"if True:\n    x = 1",
    "if block and blanks": b"if True:\n    x = 1\n    ",
    "if block not taken": b"if False:\n    x = 1\n",
    "comment in an if": b"if False:\n    pass\n    # comment",
    "comment with backslash": b"x = 1  # \\",
    "function": b"def f():\n\treturn 1\n",
    "string with backslash": b"x = 'a\\\n'",
    "brackets": b"x = (\n    1,\n)",
    "load_subconfig": b"load_subconfig('sub_config.py')",
    "names taken": b"c = ipp_richsched = SystemExit = None\n",
    "blank lines": b"x = 1\n\n\n",
}


class Registered:
    """Counts the calls of `register` by a config file."""

    calls = 0
    error: Exception | None = None

    def register(self) -> None:
        self.calls += 1
        if self.error:
            raise self.error


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Registered:
    """Stands in for the package that the block imports."""
    counter = Registered()
    module = ModuleType("ipp_richsched")
    module.register = counter.register  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ipp_richsched", module)
    return counter


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "ipcontroller_config.py"


def load(path: Path) -> Config:
    """Read a config file as ipcontroller does."""
    return PyFileConfigLoader(path.name, path=str(path.parent)).load_config()


def docstring(source: bytes) -> str | None:
    return ast.get_docstring(ast.parse(source))


def tree(directory: Path) -> dict[str, Any]:
    """All that is under a directory: names, contents and modes."""
    return {
        str(path.relative_to(directory)): (
            path.lstat().st_mode,
            os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes(),
        )
        for path in directory.rglob("*")
    }


# -- what the controller reads


@pytest.mark.parametrize("content", VALID.values(), ids=VALID.keys())
def test_register_is_called_once_until_disabled(
    config: Path, registered: Registered, content: bytes
) -> None:
    config.write_bytes(content)
    (config.parent / "sub_config.py").write_text("c.TaskScheduler.hwm = 5\n")
    before, document = load(config), docstring(content)

    assert enable(config)
    assert load(config) == before
    assert registered.calls == 1
    assert docstring(config.read_bytes()) == document
    assert not enable(config)

    assert disable(config)
    assert load(config) == before
    assert registered.calls == 1
    assert config.read_bytes() == content


def test_the_block_has_the_line_ends_of_the_file(config: Path) -> None:
    config.write_bytes(b"x = 1\r\ny = 2\r\n")
    enable(config)
    assert config.read_bytes().count(b"\n") == config.read_bytes().count(b"\r\n") > 2


def test_a_controller_without_the_package_stops_with_one_line(
    ipython_dir: Path, config: Path
) -> None:
    config.write_text("c.IPController.ip = '127.0.0.1'\n")
    enable(config)
    code = (
        "import sys; sys.modules['ipp_richsched'] = None\n"
        "from ipyparallel.controller.app import main\n"
        f"main(['--profile-dir', {str(config.parent)!r}])"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert str(config) in line
    assert "ipp_richsched" in line
    assert "delete the lines" in line
    for quoted in line.split("'")[1::2]:
        if quoted.startswith("#"):
            assert quoted in config.read_text().splitlines()


def test_a_register_that_fails_stops_the_controller_and_says_why(
    config: Path, registered: Registered
) -> None:
    enable(config)
    registered.error = RuntimeError("no such name in ipyparallel 99")
    with pytest.raises(SystemExit, match=r"RuntimeError: no such name in ipyparallel 99"):
        load(config)


# -- files as they were


PIECES = [
    *(b"#!python", b"# coding: latin-1", b"# -*- coding: utf-8 -*-", b"# comment", b"  # comment"),
    *(b'"""Mine."""', b'"""Mine.\n\n# coding: ascii\n"""', b"from __future__ import division"),
    *(b"x = 1", b"if x:", b"    y = 2", b"z = [", b"]", b"'a\\", b"b'", b"", b"\t", b"\f", b"\\"),
]
ENDS = [b"\n", b"\n", b"\r\n", b"\r", b"; "]
sources = st.builds(
    lambda bom, lines, last: (BOM if bom else b"") + b"".join(map(b"".join, lines)) + last,
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(ENDS)), max_size=6),
    st.sampled_from(PIECES),
)


@given(content=sources | st.text().map(str.encode) | st.sampled_from(list(VALID.values())))
def test_the_block_stands_first_and_changes_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    config = tmp_path_factory.getbasetemp() / "any_source.py"
    config.write_bytes(content)
    try:
        compile(content, "", "exec")
    except (SyntaxError, ValueError):
        with pytest.raises(EnableError, match="mend this first"):
            enable(config)
        assert config.read_bytes() == content
        return

    assert enable(config)
    enabled = config.read_bytes()
    compile(enabled, "", "exec")
    old, new = (list(map(ast.dump, ast.parse(each).body)) for each in (content, enabled))
    [place] = [i for i, each in enumerate(new) if "attr='register'" in each]
    del new[place]
    assert new == old
    assert docstring(enabled) == docstring(content)
    before = old[:place] if docstring(content) is None else old[1:place]
    if b";" not in content:  # what stands in the same line comes before, too
        assert all("module='__future__'" in each for each in before)
    assert not enable(config)
    assert config.read_bytes() == enabled

    assert disable(config)
    assert config.read_bytes() == content
    assert not disable(config)
    assert config.read_bytes() == content


@given(content=st.binary())
@example(b"x = 1 \\")
@example(b"x = (")
@example(b"\xff\xfe\x00")
def test_disable_restores_any_bytes_around_the_block(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    config = tmp_path_factory.getbasetemp() / "any_bytes.py"
    config.write_bytes(b"")
    enable(config)
    config.write_bytes(b"\n" + config.read_bytes() + content)
    assert disable(config)
    assert config.read_bytes() == b"\n" + content


lines = st.lists(st.sampled_from([b"x = 1", b"", b"# comment", b"    # \xff", b"\t"]), max_size=3)
originals = st.sampled_from([b'"""Mine."""', b"# coding: ascii", b"x = 1", b"\n", b"\t"])


@given(above=lines, below=lines, content=originals, newline=st.booleans())
def test_only_the_block_goes_when_the_file_was_edited(
    tmp_path_factory: pytest.TempPathFactory,
    above: list[bytes],
    below: list[bytes],
    content: bytes,
    newline: bool,
) -> None:
    config = tmp_path_factory.getbasetemp() / "edited.py"
    original = content + (b"\n" if newline else b"")
    config.write_bytes(original)
    enable(config)
    last = config.read_bytes().endswith(b"<<<\n")
    head, tail = b"".join(line + b"\n" for line in above), b"\n".join(below)
    config.write_bytes(head + config.read_bytes() + tail)

    assert disable(config)

    # A line end that `enable` had to add stays only where the user's lines need it.
    gap = b"\n" if tail and last and not original.endswith(b"\n") else b""
    assert config.read_bytes() == head + original + gap + tail


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x = 1\ny = (\n", "line 2: '(' was never closed"),
        (b"x = 1\n    y = 2\n", "line 2: unexpected indent"),
        (b"name = '\xe9'\n", "UTF-8"),
        (b"\n\nreturn\n", "line 3: 'return' outside function"),
        (b"x\x00", "source code string cannot contain null bytes"),
    ],
)
def test_a_file_that_cannot_run_is_not_enabled(config: Path, content: bytes, message: str) -> None:
    config.write_bytes(content)
    with pytest.raises(EnableError, match="mend this first") as raised:
        enable(config)
    [line] = str(raised.value).splitlines()
    assert line.startswith(f"{config}: ")
    assert message.lower() in line.lower()
    assert config.read_bytes() == content


@pytest.mark.parametrize("edited", [b"", b"x = 1\n"], ids=["untouched", "with a user's line"])
def test_what_enable_created_goes_if_nothing_else_is_in_it(tmp_path: Path, edited: bytes) -> None:
    config = tmp_path / "etc" / "ipython" / "ipcontroller_config.py"
    assert enable(config)
    config.write_bytes(edited + config.read_bytes())
    assert disable(config)
    if edited:
        assert config.read_bytes() == edited
    else:
        assert tree(tmp_path) == {}


def test_directories_that_hold_something_else_stay(tmp_path: Path) -> None:
    config = tmp_path / "etc" / "ipython" / "ipcontroller_config.py"
    enable(config)
    (tmp_path / "etc" / "other").touch()
    disable(config)
    assert sorted(tree(tmp_path)) == ["etc", "etc/other"]


def test_a_profile_that_enable_made_goes_with_what_ipython_put_into_it(
    ipython_dir: Path, registered: Registered
) -> None:
    path = config_path("typo", sys_prefix=False)
    enable(path)
    controller("--profile=typo").load_config_file()
    assert (path.parent / "startup" / "README").exists()
    assert disable(config_path("typo", sys_prefix=False))
    assert tree(ipython_dir) == {}


@pytest.mark.parametrize("left", ["log/ipcontroller-1.log", "startup/README", "security", "db/x"])
def test_a_profile_in_which_something_was_left_stays_whole(ipython_dir: Path, left: str) -> None:
    path = config_path("night", sys_prefix=False)
    enable(path)
    controller("--profile=night")
    if left == "security":  # the user's own choice of a place
        (path.parent / left).rmdir()
        (path.parent / left).symlink_to(ipython_dir)
    else:
        (path.parent / left).parent.mkdir(exist_ok=True)
        (path.parent / left).write_text("Mine.")
    before = tree(path.parent)
    assert disable(path)
    assert before.pop(path.name)
    assert tree(path.parent) == before


def test_a_profile_that_was_there_stays(ipython_dir: Path) -> None:
    controller("--profile=night")
    before = tree(ipython_dir)
    path = config_path("night", sys_prefix=False)
    enable(path)
    disable(path)
    assert tree(ipython_dir) == before


def test_directories_that_were_there_stay(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    config = tmp_path / "etc" / "ipython" / "ipcontroller_config.py"
    enable(config)
    disable(config)
    assert sorted(tree(tmp_path)) == ["etc"]


def test_an_empty_file_that_was_there_stays(config: Path) -> None:
    config.touch()
    enable(config)
    disable(config)
    assert config.read_bytes() == b""


def test_a_byte_order_mark_that_an_editor_put_before_the_block_is_no_obstacle(
    config: Path, registered: Registered
) -> None:
    enable(config)
    config.write_bytes(BOM + config.read_bytes())
    assert not enable(config)
    load(config)
    assert registered.calls == 1
    assert disable(config)
    assert config.read_bytes() == BOM


def test_line_ends_converted_by_an_editor_are_no_obstacle(config: Path) -> None:
    config.write_bytes(b"x = 1")
    enable(config)
    config.write_bytes(config.read_bytes().replace(b"\n", b"\r\n"))
    assert not enable(config)
    assert disable(config)
    assert config.read_bytes() == b"x = 1"


def test_disable_without_enable_changes_nothing(config: Path) -> None:
    assert not disable(config)
    assert not config.exists()


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
def test_the_mode_of_the_file_stays(config: Path, mode: int) -> None:
    config.touch()
    config.chmod(mode)
    enable(config)
    assert stat.S_IMODE(config.stat().st_mode) == mode
    disable(config)
    assert stat.S_IMODE(config.stat().st_mode) == mode


def test_a_new_file_can_be_read_by_whom_the_umask_allows(config: Path) -> None:
    umask = os.umask(0o022)
    try:
        enable(config)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(config.stat().st_mode) == 0o644


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can")
def test_root_leaves_the_file_to_its_owner(config: Path) -> None:
    config.touch()
    os.chown(config, 12345, 12345)
    enable(config)
    assert (config.stat().st_uid, config.stat().st_gid) == (12345, 12345)


@pytest.mark.parametrize("content", [b"x = 1\n", None], ids=["file", "dangling"])
def test_a_symbolic_link_stays_one(tmp_path: Path, config: Path, content: bytes | None) -> None:
    target = tmp_path / "dotfiles" / "shared.py"
    target.parent.mkdir()
    if content is not None:
        target.write_bytes(content)
    config.symlink_to(target)
    before = tree(tmp_path)

    assert enable(config)
    assert config.is_symlink()
    assert b"register" in target.read_bytes()

    assert disable(config)
    assert tree(tmp_path) == before


# -- a block that is not as it was

# As the version before wrote it: last in the file.
EARLIER = """\
# >>> ipp-richsched enable >>>
# `ipp-richsched disable` removes these lines{}.
try:
    import ipp_richsched

    ipp_richsched.register()
except Exception as error:
    raise SystemExit("one line")
# <<< ipp-richsched enable <<<
"""


@pytest.mark.parametrize("eol", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("content", "extra"),
    [
        ("x = 1\ny = 2\n", ""),
        ('"""Mine."""\nx = 1', ", and the line end before them"),
        ("", ", then this file and 1 of its directories"),
    ],
)
def test_the_block_of_the_version_before_is_understood(
    tmp_path: Path, registered: Registered, content: str, extra: str, eol: str
) -> None:
    config = tmp_path / "etc" / "ipcontroller_config.py"
    gap = "\n" if "line end" in extra else ""
    content, gap, earlier = (
        text.replace("\n", eol) for text in (content, gap, EARLIER.format(extra))
    )

    def write_and(change: Any) -> None:
        config.parent.mkdir(exist_ok=True)
        config.write_bytes((content + gap + earlier).encode())
        assert change(config)

    def check_disabled() -> None:
        if content:
            assert config.read_bytes() == content.encode()
        else:
            assert tree(tmp_path) == {}

    write_and(disable)
    check_disabled()
    write_and(enable)
    assert config.read_text().index("register()") < (config.read_text() + "x = 1").index("x = 1")
    load(config)
    assert registered.calls == 1
    assert not enable(config)
    assert disable(config)
    check_disabled()


def test_a_block_above_which_lines_were_written_is_first_again(
    config: Path, registered: Registered
) -> None:
    config.write_bytes(b"x = 1\n")
    enable(config)
    first = config.read_bytes()
    config.write_bytes(b"y = 2\n" + first)
    assert enable(config)
    assert config.read_bytes() == first.replace(b"x = 1", b"y = 2\nx = 1")


def test_enable_repairs_a_block_whose_call_was_taken_out(
    config: Path, registered: Registered
) -> None:
    config.write_bytes(b"x = 1")
    enable(config)
    config.write_bytes(config.read_bytes().replace(b"ipp_richsched.register()", b"pass"))
    load(config)
    assert registered.calls == 0

    assert enable(config)
    load(config)
    assert registered.calls == 1
    assert disable(config)
    assert config.read_bytes() == b"x = 1"


@pytest.mark.parametrize("damage", ["no end", "no begin", "twice", "end first", "text at end"])
def test_a_damaged_block_is_left_to_the_user(config: Path, damage: str) -> None:
    config.write_text("x = 1\n")
    enable(config)
    *block, last = config.read_text().splitlines(keepends=True)
    block = {
        "no end": block[:-1],
        "no begin": block[1:],
        "twice": block * 2,
        "end first": block[-1:] + block[:-1],
        "text at end": [*block[:-1], block[-1].replace("\n", "x = 2\n")],
    }[damage]
    damaged = "y = 1\n" + "".join(block) + last
    config.write_text(damaged)
    for change in enable, disable:
        with pytest.raises(EnableError, match=r"damaged \(marker lines: \d.*by hand") as raised:
            change(config)
        assert len(str(raised.value).splitlines()) == 1
        assert config.read_text() == damaged


# -- calls of register() written by hand

BY_HAND = {
    "plain": "import ipp_richsched\nipp_richsched.register()\n",
    "function": "from ipp_richsched import register\nregister()\n",
    "renamed": "from ipp_richsched import register as r\nr()\n",
    "module renamed": "import ipp_richsched as rich\nrich.register()\n",
}


@pytest.mark.parametrize("content", BY_HAND.values(), ids=BY_HAND.keys())
def test_a_call_by_hand_stays(config: Path, registered: Registered, content: str) -> None:
    config.write_text(content)
    load(config)
    assert registered.calls == 1
    with pytest.raises(EnableError, match=r"line 2 calls ipp_richsched\.register\(\)"):
        disable(config)
    assert config.read_text() == content

    # it may stand behind a line that raises an error
    assert enable(config)
    with pytest.raises(EnableError, match=r"line 2 calls ipp_richsched\.register\(\)"):
        disable(config)
    assert config.read_text() == content


def test_a_call_by_hand_that_may_not_run_is_not_enough(
    config: Path, registered: Registered
) -> None:
    content = "import ipp_richsched\nif False:\n    ipp_richsched.register()"
    config.write_text(content)
    assert enable(config)
    load(config)
    assert registered.calls == 1
    with pytest.raises(EnableError, match=r"line 3 calls"):
        disable(config)
    assert config.read_text() == content


@pytest.mark.parametrize(
    "content",
    ["# ipp_richsched.register()\n", "'ipp_richsched.register()'\n", "import ipp_richsched\n"],
)
def test_a_mention_is_no_call(config: Path, registered: Registered, content: str) -> None:
    config.write_text(content)
    assert enable(config)
    load(config)
    assert registered.calls == 1
    assert disable(config)
    assert config.read_text() == content


# -- what cannot be written


def test_a_read_only_file_stays_as_it_is(config: Path) -> None:
    config.write_text("x = 1\n")
    config.chmod(0o444)
    with pytest.raises(EnableError, match=r"ipcontroller_config\.py is read-only$"):
        enable(config)
    assert config.read_text() == "x = 1\n"


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_directory_is_an_error(config: Path) -> None:
    config.write_text("x = 1\n")
    config.parent.chmod(0o555)
    try:
        with pytest.raises(EnableError, match=r"^cannot change .*: Permission denied$"):
            enable(config)
    finally:
        config.parent.chmod(0o755)
    assert tree(config.parent).keys() == {config.name}


@pytest.mark.parametrize("change", [enable, disable])
def test_a_path_that_cannot_be_a_file_is_an_error(tmp_path: Path, change: Any) -> None:
    with pytest.raises(EnableError, match=r"^cannot change .*: Is a directory$"):
        change(tmp_path)


def test_a_path_under_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnableError, match=r"^cannot change .*: Not a directory$"):
        enable(tmp_path / "file" / "a" / "ipcontroller_config.py")
    assert tree(tmp_path).keys() == {"file"}


@pytest.mark.parametrize("there", [True, False], ids=["existing", "new"])
def test_a_failure_on_the_way_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    config = tmp_path / "etc" / "ipcontroller_config.py"
    if there:
        config.parent.mkdir()
        config.write_text("x = 1\n")
    before = tree(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnableError, match=r"^cannot change .*: No space left on device$"):
        enable(config)
    assert tree(tmp_path) == before


# -- which file


def controller(*arguments: str) -> IPController:
    """A stock controller that has found its profile, and will read no file from elsewhere."""
    app = IPController()
    app.init_config_from_env()
    app.parse_command_line(list(arguments))
    app.init_profile_dir()
    return app


@pytest.mark.parametrize("profile", [None, "default", "night"])
@pytest.mark.parametrize("first", ["enable", "controller"])
def test_the_controller_reads_the_file_of_the_profile(
    ipython_dir: Path, registered: Registered, profile: str | None, first: str
) -> None:
    arguments = [f"--profile={profile}"] if profile else []
    if first == "controller":
        controller(*arguments)
    path = config_path(profile, sys_prefix=False)
    assert path.parent.parent == ipython_dir
    enable(path)
    controller(*arguments).load_config_file()
    assert registered.calls == 1


def test_a_profile_in_the_working_directory_is_taken_only_if_the_controller_takes_it(
    ipython_dir: Path, tmp_path: Path, registered: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profile_here").mkdir()
    enable(config_path("here", sys_prefix=False))
    controller("--profile=here").load_config_file()
    assert registered.calls == 1


def test_a_profile_directory_from_the_environment_is_taken_as_the_controller_does(
    ipython_dir: Path, tmp_path: Path, registered: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("IPP_PROFILE_DIR", str(tmp_path / "elsewhere"))
    enable(config_path(None, sys_prefix=False))
    controller().load_config_file()
    assert registered.calls == 1


@pytest.mark.parametrize("there", [False, True])
def test_looking_for_a_profile_makes_nothing(ipython_dir: Path, there: bool) -> None:
    if there:
        (ipython_dir / "profile_such").mkdir()
    before = tree(ipython_dir)
    assert not disable(config_path("such", sys_prefix=False))
    assert tree(ipython_dir) == before


def test_the_first_profile_of_all_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    assert not disable(config_path("default", sys_prefix=False))
    assert tree(tmp_path) == {}
    assert enable(config_path("default", sys_prefix=False))
    assert disable(config_path("default", sys_prefix=False))
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("name", ["a/b", "/a", "a/", "..", f"..{os.sep}a"])
def test_a_path_is_no_name_of_a_profile(ipython_dir: Path, name: str) -> None:
    with pytest.raises(EnableError, match=r"^'.*' is no name of a profile, but a path$"):
        config_path(name, sys_prefix=False)


def test_the_other_separator_of_the_system_is_none_in_a_name_either(
    ipython_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "altsep", "!")
    with pytest.raises(EnableError, match="no name of a profile"):
        config_path("a!b", sys_prefix=False)


def test_sys_prefix_is_searched_for_every_profile(ipython_dir: Path) -> None:
    path = config_path(None, sys_prefix=True)
    assert path.is_relative_to(sys.prefix)
    app = controller("--profile=any")
    app.init_config_files()
    assert str(path.parent) in app.config_file_paths


def test_an_ipython_directory_that_cannot_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "file" / "ipython"))
    with pytest.raises(EnableError, match=r"not writable.*IPYTHONDIR"):
        config_path("default", sys_prefix=False)
