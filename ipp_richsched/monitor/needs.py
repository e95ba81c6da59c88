"""What is said where Bokeh is not installed, which is an extra."""

from __future__ import annotations


def check_bokeh(what: str) -> None:
    """Check that Bokeh is there.

    Parameters
    ----------
    what : str
        What needs it.

    Raises
    ------
    ImportError
        If it is not; the text names the extra.
    """
    try:
        import bokeh  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{error}; {what} needs Bokeh: pip install 'ipp-richsched[dashboard]'"
        ) from error
