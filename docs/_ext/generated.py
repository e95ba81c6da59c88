"""What the reference shows of the package itself: its settings and its commands."""

from __future__ import annotations

from argparse import ArgumentParser, HelpFormatter
from functools import partial
from inspect import cleandoc
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from ipyparallel.controller.task_scheduler import TaskScheduler

from ipp_richsched import RichTaskScheduler
from ipp_richsched.cli.main import _parser

NOT_FOR_USERS = {"control"}
"""Settings that the controller sets itself."""


def settings() -> dict[str, Any]:
    """The settings of ours, by the names that go into a configuration file.

    Returns
    -------
    dict of str to traitlets.TraitType
    """
    stock = TaskScheduler.class_trait_names(config=True)
    found = {}
    for name, trait in sorted(RichTaskScheduler.class_traits(config=True).items()):
        if trait.this_class.__module__.startswith("ipp_richsched.") and name not in NOT_FOR_USERS:
            owner = TaskScheduler if name in stock else RichTaskScheduler
            found[f"c.{owner.__name__}.{name}"] = trait
    return found


def commands() -> dict[str, ArgumentParser]:
    """The commands of ``ipp-richsched``, by their names."""
    [subparsers] = (each for each in _parser()._actions if isinstance(each.choices, dict))
    return {f"ipp-richsched {name}": each for name, each in subparsers.choices.items()}


def paragraph(text: str) -> nodes.paragraph:
    """A paragraph in which `name` is code."""
    found = nodes.paragraph()
    for number, part in enumerate(" ".join(text.split()).split("`")):
        found += nodes.literal(text=part) if number % 2 else nodes.Text(part)
    return found


class Settings(Directive):
    """Each setting with its type, default and help."""

    def run(self) -> list[nodes.Node]:
        listed = nodes.definition_list()
        for name, trait in settings().items():
            kind = trait.info() + (" or None" if trait.allow_none else "")
            text = f"{kind}, by default {trait.default()!r}"
            term = nodes.term("", "", nodes.literal(text=name), ids=[name.split(".")[-1]])
            paragraphs = map(paragraph, cleandoc(trait.help).split("\n\n"))
            listed += nodes.definition_list_item(
                "", term, nodes.definition("", nodes.paragraph(text=text), *paragraphs)
            )
        return [listed]


class Commands(Directive):
    """Each command with its help, as it prints it."""

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        for name, parser in commands().items():
            # as wide whatever terminal the site is built in
            parser.formatter_class = partial(HelpFormatter, width=80)
            found.append(nodes.rubric(text=name))
            found.append(nodes.literal_block(text=parser.format_help(), language="text"))
        return found


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("settings", Settings)
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
