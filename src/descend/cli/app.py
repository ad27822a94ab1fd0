"""The commands, put together."""

from collections.abc import Callable
from typing import Any

import typer

from descend.cli import options as o
from descend.messages import say


def build(lang: str) -> Callable[..., Any]:
    """Return the command line in a language, ready to be called with arguments."""
    from descend.cli import fitting, learning, using

    app = typer.Typer(
        help=say("help.app", lang),
        add_completion=False,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    commands = (
        fitting.fit,
        using.predict,
        using.evaluate,
        using.show,
        using.plot,
        fitting.compare,
        learning.labs,
        learning.lab,
    )
    for command in commands:
        app.command(help=say(f"help.{command.__name__}", lang))(command)

    app.callback()(_root)
    if lang != "en":
        _speak_in_help(lang)
    return app


def _root(version: o.Version = False, lang: o.Lang = None, debug: o.Debug = False) -> None:
    """Take the options that may stand before the command; ``main`` has read them already."""
    if version:
        from descend._version import __version__

        print(f"descend {__version__}")
        raise typer.Exit


def _speak_in_help(lang: str) -> None:
    """Put the headings of the help pages into the reader's language."""
    from typer import rich_utils

    rich_utils.ARGUMENTS_PANEL_TITLE = say("panel.arguments", lang)
    rich_utils.OPTIONS_PANEL_TITLE = say("panel.options", lang)
    rich_utils.COMMANDS_PANEL_TITLE = say("panel.commands", lang)
