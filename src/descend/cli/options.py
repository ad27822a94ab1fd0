"""The options of the commands, with their help in the reader's language.

The settings of a fit and the options of reading are declared in their own tables; ``with_options`` adds them to a
command. Options that only the command line has are declared here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Context, Exit, Option
from typer.core import TyperArgument, TyperOption

from descend.base.errors import OptionError
from descend.base.messages import language, say
from descend.base.setting import Setting, Words
from descend.solvers.settings import settings_of
from descend.tables.reading_settings import READING

if TYPE_CHECKING:
    from descend.solvers.recipe import Recipe

_LANG = language()


_LATER = {name: f"{{{name}}}" for name in ("tables", "images", "written")}  # filled in when the help is shown


def _option(name: str, *flags: str, panel: str = "output") -> Any:
    return Option(*flags, help=say(f"help.{name}", _LANG, **_LATER), rich_help_panel=say(f"panel.{panel}", _LANG))


def _argument(name: str, metavar: str) -> Any:
    return Argument(help=say(f"help.{name}", _LANG, **_LATER), show_default=False, metavar=metavar)


def _show_help(context: Context, asked: bool) -> None:
    if asked:
        _fill_lists(context)
        text = context.get_help()  # Rich prints it itself and returns nothing
        if text:
            print(text)
        raise Exit


def _fill_lists(context: Context) -> None:
    """Fill in the file types in a command's help: looking them up takes longer than the start."""
    for option in context.command.params:
        known = getattr(option, "help", None)
        if known and isinstance(option, TyperArgument | TyperOption) and any(map(known.count, _LATER.values())):
            option.help = known.format(**_lists())


def _lists() -> dict[str, str]:
    from descend.tables.formats import format_list
    from descend.tables.write import written_endings

    tables, images = format_list(images=False), format_list(images=True)
    return {"tables": tables, "images": images, "written": ", ".join(written_endings())}


File = Annotated[str, _argument("file", "FILE")]
RowsFile = Annotated[str | None, _argument("rows-file", "[FILE]")]
Hypothesis = Annotated[list[str], _argument("formula", "FORMULA")]
Formulas = Annotated[list[str], _argument("formulas", "FORMULA...")]
ModelFile = Annotated[str, _argument("model", "MODEL")]
LabId = Annotated[str | None, _argument("lab-id", "[LAB]")]

Help = Annotated[
    bool,
    Option("--help", "-h", help=say("help.help", _LANG), is_eager=True, expose_value=False, callback=_show_help),
]
Version = Annotated[bool, _option("version", "--version")]
Lang = Annotated[str | None, _option("lang", "--lang")]
Json = Annotated[bool, _option("json", "--json")]
Debug = Annotated[bool, _option("debug", "--debug")]
Out = Annotated[str | None, _option("out", "--out", "-o")]
Keep = Annotated[bool, _option("keep", "--keep")]
LogEvery = Annotated[int | None, _option("log-every", "--log-every")]
PredictOut = Annotated[str | None, _option("predict-out", "--out", "-o")]
PlotOut = Annotated[str, _option("plot-out", "--out", "-o")]
Inference = Annotated[bool, _option("inference", "--inference")]
Profile = Annotated[bool, _option("profile", "--profile")]
Level = Annotated[float, _option("level", "--level")]
Interval = Annotated[float | None, _option("interval", "--interval")]
Mean = Annotated[bool, _option("mean", "--mean")]
Set = Annotated[list[str] | None, _option("set", "--set")]
All = Annotated[bool, _option("all", "--all")]
SaveTable = Annotated[str | None, _option("save-table", "--save-table")]
LabPlot = Annotated[str | None, _option("lab-plot", "--plot")]

Cluster = Annotated[str | None, _option("cluster", "--cluster", panel="fitting")]
Partitions = Annotated[int | None, _option("partitions", "--partitions", panel="fitting")]


Module = Annotated[str | None, _option("module", "--module", panel="hypothesis")]

Checkpoint = Annotated[str | None, _option("checkpoint", "--checkpoint", panel="fitting")]
Resume = Annotated[bool, _option("resume", "--resume", panel="fitting")]
Apply = Annotated[list[str] | None, _option("apply", "--apply", panel="fitting")]

StudioFile = Annotated[str | None, _argument("studio-file", "[FILE]")]
Host = Annotated[str, _option("host", "--host", panel="server")]
Port = Annotated[int | None, _option("port", "--port", panel="server")]
Browser = Annotated[bool, _option("browser", "--browser/--no-browser", panel="server")]
MaxUpload = Annotated[int, _option("max-upload", "--max-upload", panel="server")]
MaxRows = Annotated[int, _option("max-rows", "--max-rows", panel="server")]


Given = Mapping[str, Any]


def with_options(command: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command the options of its settings and of reading, in place of its parameters of these names.

    Its ``settings`` then hold the value of each setting that the command takes, by the name in the recipe, and its
    ``reading`` the value of each option of reading.
    """
    groups: dict[str, Iterable[Setting]] = {"settings": settings_of(command), "reading": READING.values()}

    def decorated(function: Callable[..., int]) -> Callable[..., int]:
        signature = inspect.signature(function, eval_str=True)
        taken = {name: groups[name] for name in signature.parameters if name in groups}

        @wraps(function)
        def run(**given: Any) -> int:
            grouped = {
                name: {row.name: _parsed(row, given.pop(row.parameter)) for row in rows} for name, rows in taken.items()
            }
            return function(**given, **grouped)

        parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            rows = taken.get(parameter.name)
            named = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            parameters += [named] if rows is None else [_option_of(row) for row in rows]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return run

    return decorated


@cache
def _option_of(row: Setting) -> inspect.Parameter:
    """Return the command parameter of a setting's option."""
    kind: Any = list[str] if isinstance(row.kind, Words) else row.kind.option
    option = _option(row.help, "/".join(row.flags), panel=row.panel)
    annotation: Any = Annotated[kind | None if row.default is None else kind, option]
    return inspect.Parameter(row.parameter, inspect.Parameter.KEYWORD_ONLY, default=row.default, annotation=annotation)


def _parsed(row: Setting, value: Any) -> Any:
    return row.kind.parse(row.name, value) if isinstance(value, str) else value


def one_hypothesis(parts: list[str]) -> str:
    """Return a hypothesis as one text: several equations are one system of them. Raises OptionError for other texts."""
    if len(parts) > 1 and not all("=" in part and "~" not in part for part in parts):
        raise OptionError("option.several", parts=" ".join(parts))
    return "; ".join(parts)


def given_recipe(settings: Given, module: str | None = None) -> Recipe:
    """Return the recipe of the given settings; --module names the hypothesis."""
    from descend.solvers.recipe import Recipe

    if module is None:
        return Recipe(**settings)
    return Recipe(**{**settings, "hypothesis": hypothesis_of(settings["hypothesis"], module)})


def hypothesis_of(text: str, module: str | None) -> Any:
    """Return --hypothesis, or the class that --module names in a user's file."""
    if module is None:
        return text
    if text != "linear":
        raise OptionError("option.hypothesis-and-module")
    from descend.objectives.networks.build import class_in_file

    return class_in_file(module)


def cells_of(settings: list[str]) -> dict[str, str]:
    """Return --set hours=4 --set sex=male as the cells of a row, as text."""
    made = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.strip():
            raise OptionError("option.set", value=setting)
        made[name.strip()] = value.strip()
    return made
