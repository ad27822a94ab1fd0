"""Settings by the names of parameters: first values, bounds, values that are held, and names."""

from __future__ import annotations

from math import inf, isfinite, isnan
from numbers import Real
from typing import TYPE_CHECKING, Any

from descend.base.errors import OptionError
from descend.base.setting import Kind, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    Bounds = dict[str, tuple[float, float]]

STARTS = ("zeros", "normal")


class Start(Text):
    """The first parameters: a way to make them by name, or values by column or parameter, or an array."""

    def require(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Take everything: whether values fit the columns is known where these are."""

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Refuse a way that there is not."""
        if isinstance(value, str) and value not in STARTS:
            raise OptionError("option.init", value=value)

    def parse(self, name: str, text: str) -> Any:
        """Return a name, or values by column."""
        return parse_start(text)


class ParameterBounds(Kind):
    """A range for each of some parameters: ``{"b": (0, 5), "c": (None, 1)}`` or ``"b=0:5, c=:1"``."""

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Refuse what gives no ranges."""
        bounds_of(value)

    def parse(self, name: str, text: str) -> Any:
        """Return the text, once it has been read."""
        bounds_of(text)
        return text

    def written(self, value: Any) -> Any:
        """Return the ranges as a text."""
        return None if value is None else text_of_bounds(bounds_of(value))


class ParameterValues(Kind):
    """A number for each of some parameters: ``{"a": 1}`` or ``"a=1, b=2"``."""

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Refuse what gives no numbers."""
        held_of(value)

    def parse(self, name: str, text: str) -> Any:
        """Return the text, once it has been read."""
        held_of(text)
        return text

    def written(self, value: Any) -> Any:
        """Return the numbers as a text."""
        return None if value is None else text_of_values(held_of(value))


class ParameterNames(Kind):
    """Names: ``["a", "b"]`` or ``"a, b"``."""

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Refuse what gives no names."""
        names_given(value)

    def written(self, value: Any) -> Any:
        """Return the names as a text."""
        return None if value is None else ", ".join(names_given(value))


def bounds_of(value: Any) -> Bounds:
    """Return the least and the greatest value by parameter; raises OptionError (``option.bounds``).

    >>> bounds_of("b=0:5, c=:1")
    {'b': (0.0, 5.0), 'c': (-inf, 1.0)}
    """
    made: Bounds = {}
    for name, ends in _entries(value, "bounds").items():
        low, high = _ends(ends)
        if low >= high:
            raise OptionError("option.bounds-order", name=name, low=low, high=high)
        if isnan(low) or isnan(high):
            raise OptionError("option.bounds", value=f"{name}={ends}")
        made[name] = low, high
    return made


def held_of(value: Any) -> dict[str, float]:
    """Return the values by parameter; raises OptionError (``option.fixed``).

    >>> held_of("a=1, b=2.5")
    {'a': 1.0, 'b': 2.5}
    """
    made = {}
    for name, number in _entries(value, "fixed").items():
        found = _number(number)
        if not isfinite(found):
            raise OptionError("option.fixed", value=f"{name}={number}")
        made[name] = found
    return made


def names_given(value: Any) -> tuple[str, ...]:
    """Return the names; raises OptionError (``option.parameters``).

    >>> names_given("a, b")
    ('a', 'b')
    """
    if value is None:
        return ()
    found = value.split(",") if isinstance(value, str) else value
    if not isinstance(found, list | tuple | set | frozenset) or not all(isinstance(name, str) for name in found):
        raise OptionError("option.parameters", value=value)
    made = tuple(name.strip() for name in found)
    if not all(made):
        raise OptionError("option.parameters", value=value)
    return made


def text_of_bounds(bounds: Mapping[str, tuple[float, float]]) -> str:
    """Return bounds as they are written: ``b=0:5, c=:1``."""

    def end(value: float) -> str:
        return "" if not isfinite(value) else repr(value)

    return ", ".join(f"{name}={end(low)}:{end(high)}" for name, (low, high) in bounds.items())


def text_of_values(values: Mapping[str, float]) -> str:
    """Return values as they are written: ``a=1.0, b=2.5``."""
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def parse_start(text: str) -> Any:
    """Return a start as the recipe takes it: a name, or values by column; several outputs are parted by "/"."""
    if "=" not in text:
        return text
    return {name: values if len(values) > 1 else values[0] for name, values in _pairs(text).items()}


def _pairs(text: str) -> Mapping[str, list[float]]:
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


def _entries(value: Any, setting: str) -> dict[str, Any]:
    """Return a mapping, or what a text of ``name=value`` with commas between says."""
    if value is None:
        return {}
    if hasattr(value, "items"):
        return {str(name): entry for name, entry in value.items()}
    if not isinstance(value, str):
        raise OptionError(f"option.{setting}", value=value)
    made: dict[str, Any] = {}
    for part in value.split(","):
        name, sign, entry = part.partition("=")
        if not (name.strip() and sign and entry.strip()) or name.strip() in made:
            raise OptionError(f"option.{setting}", value=part.strip())
        made[name.strip()] = entry.strip()
    return made


def _ends(value: Any) -> tuple[float, float]:
    """Return both ends of a range; those that are left out are infinite, and what is none is not a number."""
    ends = value.split(":") if isinstance(value, str) else value
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        return float("nan"), float("nan")
    low, high = ends
    return (-inf if low in (None, "") else _number(low)), (inf if high in (None, "") else _number(high))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real | str):
        return float("nan")
    try:
        return float(value)
    except (ValueError, OverflowError):
        return float("nan")
