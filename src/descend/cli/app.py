"""The application: all commands together."""

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, redirect_stdout
from functools import wraps
from importlib import import_module
from typing import Any

import typer

from descend.base.atomic_files import is_standard_output
from descend.base.errors import InterruptedFitError
from descend.base.memory import require_start
from descend.base.messages import say
from descend.cli import options as o

COMMANDS = {
    "fit": "fit",
    "forecast": "forecast",
    "predict": "model",
    "evaluate": "model",
    "show": "model",
    "plot": "model",
    "compare": "compare",
    "labs": "labs",
    "lab": "labs",
    "studio": "studio",
}
FILES = ("out", "checkpoint", "save_table", "plot")  # options that name an output file


def build_app(lang: str, arguments: Sequence[str]) -> Callable[..., Any]:
    """Return the command line in a language, ready to be called with ``arguments``.

    Only the command that they name is loaded. Where they name none, none can run: all are listed and none is loaded.
    """
    asked = next((word for word in arguments if word in COMMANDS), None)
    app = typer.Typer(
        help=say("help.app", lang),
        add_completion=False,
        add_help_option=False,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None if asked is None else "rich",  # the list of commands is shown without delay
    )
    for name in COMMANDS if asked is None else [asked]:
        command = _listed if asked is None else _load(name)
        app.command(name, help=say(f"help.{name}", lang), add_help_option=False)(command)
    app.callback()(_root)
    return app


def _load(name: str) -> Callable[..., int]:
    """Import a command."""
    return _interruptible(getattr(import_module(f"descend.cli.{COMMANDS[name]}"), f"{name}_command"))


def _listed() -> None:
    """Stand for a command in the list of commands."""


def _root(version: o.Version = False, lang: o.Lang = None, debug: o.Debug = False, help: o.Help = False) -> None:
    """Define the options that may stand before the command; ``main`` has read them already."""
    if version:
        from descend.base.version import __version__

        print(f"descend {__version__}")
        raise typer.Exit


def _interruptible(command: Callable[..., int]) -> Callable[..., int]:
    """Wrap a command so that Ctrl-C raises InterruptedFitError; the parser would end without a message.

    Where a command's output file is standard output, its messages go to standard error.
    """

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> int:
        files = [path for name in FILES if (path := options.get(name)) is not None]
        beside = redirect_stdout(sys.stderr) if any(map(is_standard_output, files)) else nullcontext()
        try:
            require_start()
            with beside:
                return command(*arguments, **options)
        except KeyboardInterrupt as error:
            raise InterruptedFitError("fit.interrupted-early") from error

    return run
