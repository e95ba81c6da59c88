"""How Sphinx builds the site: ``sphinx-build -W -n docs build/docs``."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "ipp_richsched"
copyright = "2026, the authors of ipp_richsched"
version = release = version_of("ipp-richsched")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "generated"]
exclude_patterns = ["_ext"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# In docstrings `name` is code, as in ipyparallel's own.
default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
# Types are words for people ("int or None"), so nothing is to be linked in them.
napoleon_google_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_use_ivar = True
# Only what is ours can be found without a network.
nitpick_ignore_regex = [(r"py:(class|exc)", r"(?!ipp_richsched\.).*")]

html_theme = "pydata_sphinx_theme"
html_title = "ipp_richsched"
html_theme_options = {
    "secondary_sidebar_items": ["page-toc"],
    "navigation_with_keys": False,
    "show_prev_next": True,
}
html_sidebars = {"tutorial": [], "coming_from": [], "limits": []}
html_show_sourcelink = False
