"""The options that commands share, each declared once, with its help in the reader's language."""

from __future__ import annotations

from typing import Annotated, Any

from typer import Argument, Context, Exit, Option
from typer.core import TyperArgument, TyperOption

from descend.base.errors import OptionError
from descend.base.messages import language, say

_LANG = language()


_LATER = {name: f"{{{name}}}" for name in ("tables", "images", "written")}  # filled when the help is shown


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
    """Put the kinds of files into the help of a command: to look them up takes longer than to start."""
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
Formula = Annotated[str, _argument("formula", "FORMULA")]
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
KeepRows = Annotated[int, _option("keep-rows", "--keep-rows")]
LogEvery = Annotated[int | None, _option("log-every", "--log-every")]
PredictOut = Annotated[str | None, _option("predict-out", "--out", "-o")]
PlotOut = Annotated[str, _option("plot-out", "--out", "-o")]
Inference = Annotated[bool, _option("inference", "--inference")]
Level = Annotated[float, _option("level", "--level")]
Interval = Annotated[float | None, _option("interval", "--interval")]
Mean = Annotated[bool, _option("mean", "--mean")]
Set = Annotated[list[str] | None, _option("set", "--set")]
All = Annotated[bool, _option("all", "--all")]
SaveTable = Annotated[str | None, _option("save-table", "--save-table")]
LabPlot = Annotated[str | None, _option("lab-plot", "--plot")]

Encoding = Annotated[str | None, _option("encoding", "--encoding", panel="table")]
Delimiter = Annotated[str | None, _option("delimiter", "--delimiter", panel="table")]
Header = Annotated[bool | None, _option("header", "--header/--no-header", panel="table")]
SkipRows = Annotated[int, _option("skip-rows", "--skip-rows", panel="table")]
HeaderRow = Annotated[int | None, _option("header-row", "--header-row", panel="table")]
Comment = Annotated[str | None, _option("comment", "--comment", panel="table")]
SkipFooter = Annotated[int, _option("skip-footer", "--skip-footer", panel="table")]
Decimal = Annotated[str, _option("decimal", "--decimal", panel="table")]
Na = Annotated[list[str] | None, _option("na", "--na", panel="table")]
KeepNaText = Annotated[bool, _option("keep-na-text", "--keep-na-text", panel="table")]
Memory = Annotated[str | None, _option("memory", "--memory", panel="table")]
Scratch = Annotated[str | None, _option("scratch", "--scratch", panel="table")]
Query = Annotated[str | None, _option("query", "--query", panel="table")]
Cluster = Annotated[str | None, _option("cluster", "--cluster", panel="fitting")]
Partitions = Annotated[int | None, _option("partitions", "--partitions", panel="fitting")]
Missing = Annotated[str, _option("missing", "--missing", panel="table")]

Family = Annotated[str, _option("family", "--family", panel="hypothesis")]
Loss = Annotated[str, _option("loss", "--loss", panel="hypothesis")]
Delta = Annotated[float, _option("delta", "--delta", panel="hypothesis")]
L2 = Annotated[float, _option("l2", "--l2", panel="hypothesis")]

Hypothesis = Annotated[str, _option("hypothesis", "--hypothesis", panel="hypothesis")]
Module = Annotated[str | None, _option("module", "--module", panel="hypothesis")]

Optimizer = Annotated[str, _option("optimizer", "--optimizer", panel="fitting")]
Lr = Annotated[str | None, _option("lr", "--lr", panel="fitting")]
Momentum = Annotated[float, _option("momentum", "--momentum", panel="fitting")]
Nesterov = Annotated[bool, _option("nesterov", "--nesterov", panel="fitting")]
Epochs = Annotated[int | None, _option("epochs", "--epochs", panel="fitting")]
Tolerance = Annotated[float, _option("tolerance", "--tolerance", panel="fitting")]
BatchSize = Annotated[int | None, _option("batch-size", "--batch-size", panel="fitting")]
DropLast = Annotated[bool, _option("drop-last", "--drop-last", panel="fitting")]
LogBatches = Annotated[bool, _option("log-batches", "--log-batches")]
WeightDecay = Annotated[float, _option("weight-decay", "--weight-decay", panel="fitting")]
Clip = Annotated[float | None, _option("clip", "--clip", panel="fitting")]
Device = Annotated[str, _option("device", "--device", panel="fitting")]
MixedPrecision = Annotated[bool, _option("mixed-precision", "--mixed-precision", panel="fitting")]
Checkpoint = Annotated[str | None, _option("checkpoint", "--checkpoint", panel="fitting")]
Resume = Annotated[bool, _option("resume", "--resume", panel="fitting")]
Schedule = Annotated[str, _option("schedule", "--schedule", panel="fitting")]
Gamma = Annotated[float, _option("gamma", "--gamma", panel="fitting")]
StepSize = Annotated[int, _option("step-size", "--step-size", panel="fitting")]
Warmup = Annotated[int, _option("warmup", "--warmup", panel="fitting")]
Standardize = Annotated[bool, _option("standardize", "--standardize/--no-standardize", panel="fitting")]
Ddof = Annotated[int, _option("ddof", "--ddof", panel="fitting")]
Init = Annotated[str, _option("init", "--init", panel="fitting")]
Minutes = Annotated[float, _option("minutes", "--minutes", panel="fitting")]
Seed = Annotated[int, _option("seed", "--seed", panel="fitting")]
Dtype = Annotated[str, _option("dtype", "--dtype", panel="fitting")]
Patience = Annotated[int | None, _option("patience", "--patience", panel="fitting")]
Validation = Annotated[float, _option("validation", "--validation", panel="fitting")]
Test = Annotated[str, _option("test", "--test", panel="testing")]

StudioFile = Annotated[str | None, _argument("studio-file", "[FILE]")]
Host = Annotated[str, _option("host", "--host", panel="server")]
Port = Annotated[int | None, _option("port", "--port", panel="server")]
Browser = Annotated[bool, _option("browser", "--browser/--no-browser", panel="server")]
MaxUpload = Annotated[int, _option("max-upload", "--max-upload", panel="server")]
MaxRows = Annotated[int, _option("max-rows", "--max-rows", panel="server")]


def hypothesis_of(text: str, module: str | None) -> Any:
    """Return --hypothesis, or the class that --module names in a file of the user's."""
    if module is None:
        return text
    if text != "linear":
        raise OptionError("option.hypothesis-and-module")
    from descend.objectives.networks.build import class_in_file

    return class_in_file(module)


def parse_start(text: str) -> Any:
    """Return --init as the recipe takes it: a name, or values by column; several outputs are parted by "/"."""
    if "=" not in text:
        return text
    return {name: values if len(values) > 1 else values[0] for name, values in _pairs(text).items()}


def rate_of(text: str | None) -> float | str | None:
    """Return --lr as the recipe takes it: a number, or auto."""
    if text is None or text == "auto":
        return text
    try:
        return float(text)
    except ValueError as error:
        raise OptionError("option.lr", value=text) from error


def _pairs(text: str) -> dict[str, list[float]]:
    made, begun = {}, ""
    for part in text.split(","):
        if "=" not in part:
            begun += f"{part},"  # a comma inside a name: poly(hours, 2)[1]
            continue
        name, _, values = f"{begun}{part}".rpartition("=")
        begun = ""
        try:
            made[name.strip()] = [float(value) for value in values.split("/")]
        except ValueError as error:
            raise OptionError("option.init", value=part.strip()) from error
    if begun:
        raise OptionError("option.init", value=begun.removesuffix(",").strip())
    return made


def cells_of(settings: list[str]) -> dict[str, str]:
    """Return --set hours=4 --set sex=male as the cells of a row, as text."""
    made = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.strip():
            raise OptionError("option.set", value=setting)
        made[name.strip()] = value.strip()
    return made
