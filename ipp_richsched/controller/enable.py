"""Switch RichTaskScheduler on and off in an ``ipcontroller_config.py``.

`enable` writes a small marked block that calls ``ipp_richsched.register()``, so that the stock
``ipcontroller``, however it is launched, runs this scheduler. `disable` takes the block out again
and leaves the rest byte for byte as it was. `block.py` has the block and the place for it.

Calls of ``register()`` that were written by hand stay. `disable` removes its own block if there
is one, and then fails if such a call is left anywhere in the file: the scheduler may still be on.
"""

from __future__ import annotations

import os
import stat
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from IPython.paths import get_ipython_dir, get_ipython_package_dir

from .block import BlockError, find, insert, line_of_call, without

CONFIG_NAME = "ipcontroller_config.py"

# What IPython puts into the directory of a profile as soon as it looks for it
_SKELETON = ("log", "pid", "security", "startup")


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
        If there can be no such profile, or if IPython's directory is not writable: ipcontroller
        would use a temporary one.
    """
    if sys_prefix:
        return Path(sys.prefix, "etc", "ipython", CONFIG_NAME)
    if profile is None and (location := os.environ.get("IPP_PROFILE_DIR")):
        return Path(location, CONFIG_NAME)
    name = "default" if profile is None else profile
    if name == ".." or not {"/", os.sep, os.altsep}.isdisjoint(name):
        raise EnableError(f"{name!r} is no name of a profile, but a path")
    with warnings.catch_warnings():  # it warns, and would use a temporary directory
        warnings.filterwarnings("error", "IPython (dir|parent) .* is not a writable location")
        try:
            return Path(_ipython_dir(), f"profile_{name}", CONFIG_NAME)
        except UserWarning:
            raise EnableError("the IPython directory is not writable: see IPYTHONDIR") from None


def _ipython_dir() -> str:
    """What IPython says, which makes the directory if it is not there; here it is not made."""
    usual = Path(os.environ.get("IPYTHONDIR", "~/.ipython")).expanduser()
    new = not usual.exists()
    directory: str = get_ipython_dir()
    if new:
        with suppress(OSError):
            usual.rmdir()
    return directory


def enable(path: Path) -> bool:
    """Make a config file call ``ipp_richsched.register()`` before it does anything else.

    Parameters
    ----------
    path : pathlib.Path
        The ``ipcontroller_config.py``; created with its directories if it is not there.

    Returns
    -------
    bool
        True if the file was changed, False if it had the block already.

    Raises
    ------
    EnableError
        If the file cannot be read or written, if Python could not run it, or if an earlier block
        in it is damaged.
    """
    with _one_line_errors(path):
        real = Path(os.path.realpath(path))  # a symbolic link stays one
        if not real.exists():
            _create(real)
            return True
        source = real.read_bytes()
        if block := find(source):
            # One of another version, edited, or no longer first is written anew.
            new = insert(without(source, block), block.directories, block.eol)
        else:
            new = insert(source)
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
        if not real.exists():
            return False
        source = real.read_bytes()
        if block := find(source):
            source = without(source, block)
            if block.directories is None or source:
                _replace(real, source)
            else:
                real.unlink()
                _remove_directories(list(real.parents[: block.directories]))
        if line := line_of_call(source):
            raise EnableError(
                f"{path}: line {line} calls ipp_richsched.register(), and 'ipp-richsched enable' "
                "did not write it: delete that call yourself to switch the scheduler off"
            )
        return block is not None


def _remove_directories(made: list[Path]) -> None:
    """Remove directories, the inner ones first, up to one in which there is something else."""
    if made and _is_skeleton(made[0]):
        (made[0] / "startup" / "README").unlink(missing_ok=True)
        made = [*(made[0] / name for name in _SKELETON if (made[0] / name).exists()), *made]
    with suppress(OSError):  # not empty: not ours alone
        for directory in made:
            directory.rmdir()


def _is_skeleton(directory: Path) -> bool:
    """Whether nothing is in a directory but what IPython puts there unasked."""
    readme = Path(get_ipython_package_dir(), "core", "profile", "README_STARTUP")
    for path in directory.rglob("*"):
        name = path.relative_to(directory).as_posix()
        if name in _SKELETON and path.is_dir() and not path.is_symlink():
            continue
        if name == "startup/README" and path.read_bytes() == readme.read_bytes():
            continue
        return False
    return True


def _create(real: Path) -> None:
    missing = [directory for directory in real.parents if not directory.exists()]
    made: list[Path] = []
    try:
        for directory in reversed(missing):
            directory.mkdir()
            made.insert(0, directory)
        _replace(real, insert(b"", len(missing)))
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
    except BlockError as error:
        raise EnableError(f"{path}: {error}") from None
    except OSError as error:
        raise EnableError(f"cannot change {path}: {error.strerror or error}") from error
