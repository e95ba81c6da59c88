"""The lines that `enable` writes into an ``ipcontroller_config.py``: where they go, how they leave.

Where the block goes
    First in the file, at the left margin, so that the scheduler is switched on before any line of
    the user's can raise an error: a controller that has it on does not start then. A byte order
    mark, a ``#!`` line, a coding cookie, the docstring and ``from __future__`` lines keep their
    places before it.

What the block does when ``ipp_richsched`` is gone, or cannot register
    It stops the controller with one line that says why and how to undo it. A plain exception would
    be logged by ipcontroller, which then goes on with the stock scheduler, and nobody would notice.

The block of an earlier version, which stood last in the file, is found and taken out all the same.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import NamedTuple

# The block is ASCII without backslash, tilde or plus: it reads the same in any encoding that a
# coding cookie is likely to name.
_BEGIN = "# >>> ipp-richsched enable >>>"
_END = "# <<< ipp-richsched enable <<<"
_BLOCK = """\
{begin}
# First in the file: if a line below raises an error, the controller does not start.
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
    rb"removes these lines(?P<line_end>, and the line end before them)?"
    rb"(?:, then this file and (?P<directories>\d+) of its directories)?\."
)
_BEGIN_PATTERN = rb"%s[ \t]*(?P<eol>\r?\n)" % re.escape(_BEGIN).encode()
_END_PATTERN = rb"%s[ \t]*(?:\r?\n|\Z)" % re.escape(_END).encode()
# Python takes a CR alone for a line end, too. An editor may have put a byte order mark before.
_START = rb"(?:^|(?<=\r))(?:\xef\xbb\xbf)?"
_MARKER_PATTERN = re.compile(rb"%s(?:%s|%s)" % (_START, _BEGIN_PATTERN, _END_PATTERN), re.M)
_BLOCK_PATTERN = re.compile(
    rb"%s(?P<block>%s(?P<body>.*?)^%s)" % (_START, _BEGIN_PATTERN, _END_PATTERN), re.M | re.S
)

# What Python recognizes in the first two lines only
_LINE = rb"[^\r\n]*(?:\r\n|\r|\n|\Z)"
_COOKIE = rb"[ \t\f]*#[^\r\n]*?coding[:=][ \t]*[-\w.]" + _LINE
_HEAD_PATTERN = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:(?:[ \t\f]*(?:#[^\r\n]*)?(?:\r\n|\r|\n))??%s|#!%s)?" % (_COOKIE, _LINE)
)


class BlockError(Exception):
    """There is no one block to speak of, or no place for one. The message is one line."""


class Block(NamedTuple):
    """A block in a file."""

    start: int
    end: int
    eol: bytes
    """The line end that it is written with."""
    line_end: bool
    """Whether a line end was added before it."""
    directories: int | None
    """How many directories were made for the file; None if the file was there before."""


def find(source: bytes) -> Block | None:
    """Return the block in `source`, None if there is none.

    Raises
    ------
    BlockError
        If its markers are not one pair.
    """
    markers = list(_MARKER_PATTERN.finditer(source))
    if not markers:
        return None
    match = _BLOCK_PATTERN.search(source)
    if match is None or len(markers) != 2:
        lines = ", ".join(str(source.count(b"\n", 0, marker.start()) + 1) for marker in markers)
        raise BlockError(
            f"the block of 'ipp-richsched enable' is damaged (marker lines: {lines}): "
            f"delete what is left of it by hand, with every line {_BEGIN!r} and {_END!r}"
        )
    extra = _EXTRA_PATTERN.search(match["body"])
    line_end = bool(extra and extra["line_end"])
    directories = int(extra["directories"]) if extra and extra["directories"] else None
    return Block(*match.span("block"), match["eol"], line_end, directories)


def without(source: bytes, block: Block) -> bytes:
    """Return what was in the file before `block` came, and what was added since."""
    before, after = source[: block.start], source[block.end :]
    if block.line_end and not after:
        # Lines that the user wrote below since then need that line end.
        before = before.removesuffix(block.eol)
    return before + after


def insert(source: bytes, directories: int | None = None, eol: bytes | None = None) -> bytes:
    """Return `source`, which holds no block, with one.

    Parameters
    ----------
    source : bytes
        What is in the file.
    directories : int or None
        How many directories were made for the file; None if it was there before.
    eol : bytes or None
        The line end to write; None for the one of `source`.

    Raises
    ------
    BlockError
        If Python cannot compile `source`: then the block would not run either.
    """
    start = _place(source)
    before, after = source[:start], source[start:]
    eol = eol or (b"\r\n" if b"\r\n" in source else b"\n")
    extra = ""
    if before.strip(b"\xef\xbb\xbf") and not before.endswith((b"\r", b"\n")):
        before += eol
        extra += _LINE_END
    if directories is not None:
        extra += _FILE.format(directories)
    text = _BLOCK.format(begin=_BEGIN, end=_END, extra=extra)
    return before + text.encode("ascii").replace(b"\n", eol) + after


def _place(source: bytes) -> int:
    """Where in `source` the first line begins that need not keep its place."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the user's code, and not for us to repeat
            compile(source, "", "exec", dont_inherit=True)
            statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        text = error.msg if isinstance(error, SyntaxError) else error
        line = getattr(error, "lineno", None)
        where = "" if line is None else f"line {line}: "
        raise BlockError(f"{where}{text}: mend this first, Python cannot run the file") from None
    last = 0
    for index, statement in enumerate(statements):
        if _keeps_its_place(statement, index) or statement.lineno <= last:
            last = statement.end_lineno or last
        else:
            break
    lines = source.splitlines(keepends=True)[:last]
    head = _HEAD_PATTERN.match(source)
    return max(sum(map(len, lines)), head.end() if head else 0)


def _keeps_its_place(statement: ast.stmt, index: int) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return statement.module == "__future__"
    return (
        index == 0
        and isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def line_of_call(source: bytes) -> int | None:
    """Return the line in `source` that calls ``ipp_richsched.register``, None if none does."""
    if b"ipp_richsched" not in source:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # it cannot run, so it calls nothing
    names = {"ipp_richsched.register"}
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {f"{a.asname}.register" for a in node.names if a.name == "ipp_richsched"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ipp_richsched"):
            names |= {a.asname or a.name for a in node.names if a.name == "register"}
    calls = (n for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func) in names)
    return next((call.lineno for call in calls), None)
