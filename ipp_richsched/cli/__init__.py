"""The command line, ``ipp-richsched``."""

from .main import main

__all__ = ["main"]
