"""The commands, put together."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from descend.cli import options as o
from descend.errors import InterruptedFitError
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
        app.command(help=say(f"help.{command.__name__}", lang))(_interruptible(command))

    app.callback()(_root)
    return app


def _root(version: o.Version = False, lang: o.Lang = None, debug: o.Debug = False) -> None:
    """Take the options that may stand before the command; ``main`` has read them already."""
    if version:
        from descend._version import __version__

        print(f"descend {__version__}")
        raise typer.Exit


def _interruptible(command: Callable[..., int]) -> Callable[..., int]:
    """Let Ctrl-C out of a command as an error of ours; the parser would end without a word."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> int:
        try:
            return command(*arguments, **options)
        except KeyboardInterrupt as error:
            raise InterruptedFitError("fit.interrupted-early") from error

    return run
