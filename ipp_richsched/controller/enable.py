"""Switch RichTaskScheduler on and off in an ``ipcontroller_config.py``.

`enable` appends a small marked block that calls ``ipp_richsched.register()``, so that the stock
``ipcontroller``, however it is launched, runs this scheduler. `disable` takes the block out again
and leaves the rest byte for byte as it was.

Where the block goes
    Last in the file, at the left margin: a docstring, ``from __future__`` lines, a coding cookie
    or a byte order mark keep their places, and no ``if`` above can take it in. ipcontroller drops
    *all* settings of a file that raises, with a traceback in its log; the block is no exception.

What the block does when ``ipp_richsched`` is gone, or cannot register
    It stops the controller with one line that says why and how to undo it. A plain exception would
    be logged by ipcontroller, which then goes on with the stock scheduler, and nobody would notice.

Calls of ``register()`` that were written by hand
    They stay. Where one stands at the left margin, so that it surely runs, `enable` has nothing
    to do. `disable` removes its own block if there is one, and then fails if such a call is left
    anywhere in the file, since the scheduler may still be on.
"""

from __future__ import annotations

import ast
import os
import re
import stat
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from IPython.paths import get_ipython_dir, locate_profile

CONFIG_NAME = "ipcontroller_config.py"

# The block is ASCII without backslash, tilde or plus: it reads the same in any encoding that a
# coding cookie is likely to name.
_BEGIN = "# >>> ipp-richsched enable >>>"
_END = "# <<< ipp-richsched enable <<<"
_BLOCK = """\
{begin}
# `ipp-richsched disable` removes these lines{extra}.
try:
    import ipp_richsched

    ipp_richsched.register()
except Exception as error:
    raise SystemExit(
        f"{{__file__}}: ipp-richsched is switched on here but does not work "
        f"({{type(error).__name__}}: {{error}}); install it where this ipcontroller runs, "
        "or delete the lines from '{begin}' "
        "to '{end}' in this file"
    ) from None
{end}
"""
_LINE_END = ", and the line end before them"
_FILE = ", then this file and {} of its directories"

_EXTRA_PATTERN = re.compile(
    rb"removes these lines(?P<extra>(?P<line_end>, and the line end before them)?"
    rb"(?P<file>, then this file and (?P<directories>\d+) of its directories)?)\."
)
_BEGIN_PATTERN = rb"%s[ \t]*(?P<eol>\r?\n)" % re.escape(_BEGIN).encode()
_END_PATTERN = rb"%s[ \t]*(?:\r?\n|\Z)" % re.escape(_END).encode()
_START = rb"^(?:\xef\xbb\xbf)?"  # an editor may have put a byte order mark before the block
_MARKER_PATTERN = re.compile(rb"%s(?:%s|%s)" % (_START, _BEGIN_PATTERN, _END_PATTERN), re.M)
_BLOCK_PATTERN = re.compile(
    rb"%s(?P<block>%s(?P<body>.*?)^%s)" % (_START, _BEGIN_PATTERN, _END_PATTERN), re.M | re.S
)


class EnableError(Exception):
    """The file could not be changed, or not without guessing. The message is one line."""


def config_path(profile: str | None, sys_prefix: bool) -> Path:
    """Return the ``ipcontroller_config.py`` that ipcontroller will read.

    Creates neither the file nor its profile directory; `enable` does, as ipcontroller would.

    Parameters
    ----------
    profile : str or None
        Name of a profile; None is what ``ipcontroller`` takes without ``--profile``.
    sys_prefix : bool
        True for the file that every profile of this Python environment reads; `profile` is
        ignored then.

    Raises
    ------
    EnableError
        If IPython's directory is not writable: ipcontroller would use a temporary one.
    """
    if sys_prefix:
        return Path(sys.prefix, "etc", "ipython", CONFIG_NAME)
    if profile is None and (location := os.environ.get("IPP_PROFILE_DIR")):
        return Path(location, CONFIG_NAME)
    name = "default" if profile is None else profile
    with warnings.catch_warnings():  # it warns, and would use a temporary directory
        warnings.filterwarnings("error", "IPython (dir|parent) .* is not a writable location")
        try:
            # Where profiles are searched is IPython's business, and has changed before.
            return Path(locate_profile(name), CONFIG_NAME)
        except OSError:
            return Path(get_ipython_dir(), f"profile_{name}", CONFIG_NAME)
        except UserWarning:
            raise EnableError("the IPython directory is not writable: see IPYTHONDIR") from None


def enable(path: Path) -> bool:
    """Make a config file call ``ipp_richsched.register()``.

    Parameters
    ----------
    path : pathlib.Path
        The ``ipcontroller_config.py``; created with its directories if it is not there.

    Returns
    -------
    bool
        True if the file was changed, False if it had the call already.

    Raises
    ------
    EnableError
        If the file cannot be read or written, or an earlier block in it is damaged.
    """
    with _one_line_errors(path):
        real = Path(os.path.realpath(path))  # a symbolic link stays one
        source = real.read_bytes() if real.exists() else None
        if source is None:
            _create(real)
            return True
        block = _find_block(source, path)
        if block:
            # A block from another version, or edited, becomes the present one in its place.
            undo = _EXTRA_PATTERN.search(block["body"])
            present = _block(undo["extra"].decode() if undo else "", block["eol"])
            new = source[: block.start("block")] + present + source[block.end("block") :]
        elif _calls_register(source, surely=True):
            new = source
        else:
            eol = b"\r\n" if b"\r\n" in source else b"\n"
            if source and not source.endswith(b"\n"):
                new = source + eol + _block(_LINE_END, eol)
            else:
                new = source + _block("", eol)
        if new == source:
            return False
        _replace(real, new)
        return True


def disable(path: Path) -> bool:
    """Take out of a config file what `enable` put in.

    What `enable` created, the file and its directories, goes too where nothing else is in it.

    Parameters
    ----------
    path : pathlib.Path
        The ``ipcontroller_config.py``; it need not exist.

    Returns
    -------
    bool
        True if a block was removed, False if there was none.

    Raises
    ------
    EnableError
        If the file cannot be read or written, if the block in it is damaged, or if what is left
        of the file still calls ``register()``.
    """
    with _one_line_errors(path):
        real = Path(os.path.realpath(path))  # a symbolic link stays one
        source = real.read_bytes() if real.exists() else None
        if source is None:
            return False
        block = _find_block(source, path)
        if block:
            source = _without(block, source, real)
        if line := _calls_register(source, surely=False):
            raise EnableError(
                f"{path}: line {line} calls ipp_richsched.register(), and 'ipp-richsched enable' "
                "did not write it: delete that call yourself to switch the scheduler off"
            )
        return block is not None


def _without(block: re.Match[bytes], source: bytes, real: Path) -> bytes:
    """Remove `block` from the file, and what came with it; return what is left of `source`."""
    before, after = source[: block.start("block")], source[block.end("block") :]
    undo = _EXTRA_PATTERN.search(block["body"])
    if undo and undo["line_end"] and not after:
        # Lines that the user wrote below since then need that line end.
        before = before.removesuffix(block["eol"])
    left = before + after
    if undo and undo["file"] and not left:
        real.unlink()
        with suppress(OSError):  # not empty: not ours alone
            for directory in real.parents[: int(undo["directories"])]:
                directory.rmdir()
    else:
        _replace(real, left)
    return left


def _block(extra: str, eol: bytes) -> bytes:
    text = _BLOCK.format(begin=_BEGIN, end=_END, extra=extra)
    return text.encode("ascii").replace(b"\n", eol)


def _find_block(source: bytes, path: Path) -> re.Match[bytes] | None:
    """The block in `source`, or None; EnableError if its markers are not one pair."""
    markers = list(_MARKER_PATTERN.finditer(source))
    if not markers:
        return None
    block = _BLOCK_PATTERN.search(source)
    if block is None or len(markers) != 2:
        lines = ", ".join(str(source.count(b"\n", 0, marker.start()) + 1) for marker in markers)
        raise EnableError(
            f"{path}: the block of 'ipp-richsched enable' is damaged (marker lines: {lines}): "
            f"delete what is left of it by hand, with every line {_BEGIN!r} and {_END!r}"
        )
    return block


def _calls_register(source: bytes, *, surely: bool) -> int | None:
    """Return the line of a call of ``ipp_richsched.register`` in `source`, None if there is none.

    With `surely`, only a call that is a statement at the left margin counts.
    """
    if b"ipp_richsched" not in source:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the user's code, and not for us to repeat
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # it cannot run, so it calls nothing
    nodes: list[ast.AST] = list(ast.walk(tree))
    names = {"ipp_richsched.register"}
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {f"{a.asname}.register" for a in node.names if a.name == "ipp_richsched"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ipp_richsched"):
            names |= {a.asname or a.name for a in node.names if a.name == "register"}
    if surely:
        nodes = [statement.value for statement in tree.body if isinstance(statement, ast.Expr)]
    calls = (n for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func) in names)
    return next((call.lineno for call in calls), None)


def _create(real: Path) -> None:
    missing = [directory for directory in real.parents if not directory.exists()]
    made: list[Path] = []
    try:
        for directory in reversed(missing):
            directory.mkdir()
            made.insert(0, directory)
        _replace(real, _block(_FILE.format(len(missing)), b"\n"))
    except BaseException:
        for directory in made:
            directory.rmdir()
        raise


def _replace(real: Path, content: bytes) -> None:
    """Write `content` so that a crash on the way leaves the old file; owner and mode stay."""
    old = real.stat() if real.exists() else None
    # To replace a file takes a writable directory only, but read-only is meant to be respected.
    if old and not (old.st_mode & 0o222 and os.access(real, os.W_OK)):
        raise EnableError(f"{real} is read-only")
    mode = stat.S_IMODE(old.st_mode) if old else 0o666
    temporary = real.with_name(f".{real.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if old:
            with suppress(PermissionError, AttributeError):  # only root can; Windows has none
                os.chown(temporary, old.st_uid, old.st_gid)
            os.chmod(temporary, mode)
        os.replace(temporary, real)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnableError(f"cannot change {path}: {error.strerror or error}") from error
