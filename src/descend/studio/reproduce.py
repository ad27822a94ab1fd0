"""The command line and the Python script that repeat a run of the page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.cells import cell_len

from descend import labs
from descend.base.errors import OptionError
from descend.solvers.parameter_settings import parse_start
from descend.solvers.recipe import Recipe
from descend.solvers.settings import SETTINGS
from descend.tables.open import read
from descend.tables.reading_settings import READING, reading_keywords

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 100  # letters per line of a command
CODE_WIDTH = 88  # letters per line of Python: the formatters' default
ALIVE = re.compile(r'["$`\\!]')  # characters that a shell does not take literally between double quotes


def command_line(
    file: str,
    formula: str,
    settings: Mapping[str, Any],
    out: str = "model.safetensors",
    *,
    names: Sequence[str] | None = None,
    reading: Mapping[str, Any] | None = None,
) -> str:
    """Return a POSIX shell command that does what ``descend.fit(formula, file, **settings)`` does.

    names: the design's columns, by which a start given as an array is written.
    reading: the options of reading.

    Raises OptionError, as ``Recipe`` does, and ``studio.no-command`` for settings that only Python can express.
    """
    words = [(option, *value) for option, value in _options(Recipe(**settings).given(), names)]
    words = [*_reading(reading or {}), *words, ("--out", out)]
    named = [(file,), (formula,)]
    if any(text.startswith("-") for (text,) in named):
        words = [("descend", "fit"), *words, ("--", file), (formula,)]
    else:
        words = [("descend", "fit"), *named, *words]
    return _folded([" ".join(map(_quoted, group)) for group in words])


def python_code(
    file: str,
    formula: str,
    settings: Mapping[str, Any],
    out: str = "model.safetensors",
    reading: Mapping[str, Any] | None = None,
) -> str:
    """Return a script that repeats the fit, prints the equation and writes the model.

    Raises OptionError, as ``Recipe`` does, and ``studio.no-script`` for objects that a script cannot express.
    """
    said = [_assigned(f"{name}=", value, 4, name) for name, value in reading_keywords(reading or {}).items()]
    source = ["table = " + f"descend.read({', '.join([_literal(file), *said])})"] if said else []
    made = [_literal(formula), "table" if said else _literal(file)]
    for name, value in Recipe(**settings).given().items():
        made.append(_assigned(f"{name}=", _plain(value), 4, name))
    lines = [
        "import descend",
        "",
        *source,
        _called("model = descend.fit", made),
        "print(model.equation)",
        _called("model.save", [_literal(out)]),
    ]
    return "\n".join(lines) + "\n"


def example_csv(id: str) -> bytes:
    """Return the table of a worked example as the CSV file that its command line names."""
    return read(labs.example(id).table()).frame.write_csv().encode()


def _options(given: Mapping[str, Any], names: Sequence[str] | None) -> list[tuple[str, list[str]]]:
    """Return the options and values of the settings that differ from their defaults."""
    made = []
    for name, value in given.items():
        if name == "init" and not isinstance(value, str):
            start = _start(value, names)
            made += [(SETTINGS[name].flags[0], [start])] if start else []
            continue
        row = SETTINGS[name]
        value = row.kind.written(_plain(value))
        if not row.panel or not isinstance(value, str | int | float):
            raise OptionError("studio.no-command", name=name)
        if isinstance(value, bool):
            made.append((row.flags[not value], []))
        else:
            made.append((row.flags[0], [str(int(value)) if row.kind.option is int else str(value)]))
    return made


def _reading(reading: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the options and values that read a file the same way."""
    made: list[tuple[str, ...]] = []
    for name, value in reading.items():
        flags = READING[name].flags
        if isinstance(value, bool):
            made.append((flags[not value],))
        else:
            made += [(flags[0], str(one)) for one in (value if isinstance(value, list) else [value])]
    return made


def _start(init: Any, names: Sequence[str] | None) -> str:
    """Return a start by column as --init takes it: ``hours=1.5, (intercept)=-0.3``; empty where it names no column."""
    if not hasattr(init, "items"):
        values = np.asarray(init, dtype=np.float64)
        if names is None or not names or values.size % len(names):
            raise OptionError("studio.no-command", name="init")
        init = dict(zip(names, values.reshape(len(names), -1), strict=True))
    wanted = {str(name): [float(v) for v in np.ravel(values)] for name, values in init.items()}
    text = ", ".join(f"{name}={'/'.join(map(repr, values))}" for name, values in wanted.items())
    if wanted and _read_back(text) != wanted:
        raise OptionError("studio.no-command", name="init")  # names with both a comma and a number after =
    return text


def _read_back(text: str) -> dict[str, list[float]] | None:
    try:
        return {name: [float(v) for v in np.ravel(values)] for name, values in parse_start(text).items()}
    except OptionError:
        return None


def _plain(value: Any) -> Any:
    """Return NumPy scalars and arrays as Python's."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _quoted(word: str) -> str:
    """Return a word as the shell takes it: bare, else in double quotes, else in single quotes."""
    if shlex.quote(word) == word:
        return word
    return shlex.quote(word) if ALIVE.search(word) else f'"{word}"'


def _folded(groups: list[str]) -> str:
    """Join words into lines that end before WIDTH where possible."""
    lines = [groups[0]]
    for group in groups[1:]:
        if cell_len(lines[-1]) + 1 + cell_len(group) <= WIDTH:
            lines[-1] += f" {group}"
        else:
            lines.append(f"    {group}")
    return " \\\n".join(lines)


def _called(function: str, arguments: list[str]) -> str:
    """Return a call on one line where it fits, else with one argument per line."""
    flat = f"{function}({', '.join(arguments)})"
    if "\n" not in flat and cell_len(flat) <= CODE_WIDTH:
        return flat
    return "\n".join([f"{function}(", *(f"    {argument}," for argument in arguments), ")"])


def _assigned(left: str, value: Any, indent: int, name: str) -> str:
    """Return ``left`` and the Python literal of the setting ``name``; a long list or mapping has a line per entry."""
    if isinstance(value, str):
        return left + _literal(value)
    if value is None or isinstance(value, bool | int | float):
        return left + repr(value)
    if not isinstance(value, dict | list):
        raise OptionError("studio.no-script", name=name)
    inner = indent + 4
    if isinstance(value, dict):
        opening, closing = "{", "}"
        parts = [_assigned(f"{_literal(key)}: ", entry, inner, name) for key, entry in value.items()]
    else:
        opening, closing = "[", "]"
        parts = [_assigned("", entry, inner, name) for entry in value]
    flat = f"{left}{opening}{', '.join(parts)}{closing}"
    if "\n" not in flat and indent + cell_len(flat) + 1 <= CODE_WIDTH:
        return flat
    return "\n".join([left + opening, *(f"{' ' * inner}{part}," for part in parts), f"{' ' * indent}{closing}"])


def _literal(text: str) -> str:
    """Return a text as a Python literal, in double quotes unless these need more escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'

    def escaped(letter: str) -> str:
        if letter in (quote, "\\"):
            return "\\" + letter
        return letter if letter.isprintable() else letter.encode("unicode_escape").decode()

    return quote + "".join(map(escaped, text)) + quote
