"""Which configuration file of a controller raised an error, where, and what.

traitlets logs the traceback of such a file, drops all of its settings and goes on.
"""

from __future__ import annotations

import os
import traceback

from ipyparallel.controller.app import IPController


def config_file_error(app: IPController) -> str | None:
    """Say in one line which configuration file of `app` raised an error; None if none did.

    A file that traitlets does not name among those that it loaded has raised an error or set
    nothing. To find out which, it is loaded once more.

    Parameters
    ----------
    app : IPController
        It has loaded its configuration files.
    """
    known = {os.path.abspath(path) for path in app.loaded_config_files}
    # as IPython's applications and traitlets search them
    for name in ("ipython_config", *(os.path.splitext(each)[0] for each in app.config_files)):
        for directory in reversed(app.config_file_paths):
            for loader_class, extension in (
                (app.python_config_loader_class, ".py"),
                (app.json_config_loader_class, ".json"),
            ):
                path = os.path.abspath(os.path.join(directory, name + extension))
                if path in known or not os.path.isfile(path):
                    continue
                known.add(path)
                loader = loader_class(name + extension, path=directory, log=app.log)
                try:
                    config = loader.load_config()
                except Exception as error:
                    return _describe(loader.full_filename, error)
                if config:
                    return f"{path}: an error when it was loaded (see above), though not again"
    return None


def _describe(path: str, error: Exception) -> str:
    frames = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == path]
    # an error of syntax stands in no frame, but has a line of its own
    line = lines[-1] if lines else getattr(error, "lineno", None)
    where = path if line is None else f"{path}, line {line}"
    text = "".join(traceback.format_exception_only(type(error), error)).splitlines()
    # of an error of syntax, the code that it quotes comes first, indented
    return f"{where}: {next(each for each in text if not each.startswith(' '))}"
