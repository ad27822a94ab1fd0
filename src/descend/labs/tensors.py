"""Tensors in NumPy and in PyTorch, side by side; without PyTorch, NumPy's side alone."""

from __future__ import annotations

import inspect
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.errors import OptionError
from descend.base.messages import Note
from descend.labs.outcome import Check, Line, Section, Snippet
from descend.labs.tensor_steps import GIVEN, TITLED, Refusal, Step, source_of
from descend.objectives.networks.network import require_torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

LARGE = 12


def tensor_sections(titled: Mapping[str, tuple[Step, ...]] = TITLED) -> list[Section | Snippet]:
    """Return every step with its result in the installed libraries."""
    torch = _torch()
    opening = "tensors-what" if torch else "tensors-no-torch"
    parts: list[Section | Snippet] = [Section(Note(f"lesson.{opening}", {}))]
    for title, steps in titled.items():
        parts.append(Section(Note(f"lesson.{title}", {}), title=True))
        known: list[str] = []
        for step in steps:
            names = _names(step.numpy)
            given = beside([_given(name) for name in names if name not in known])
            parts.append(_snippet(step, given, torch))
            known = names
    return parts


def plain_value(value: Any) -> Any:
    """Return the result of a step in plain Python: arrays as lists, several values as a tuple, types by name."""
    if isinstance(value, tuple):
        return tuple(plain_value(inner) for inner in value)
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if isinstance(value, (int, Refusal)) else str(value).removeprefix("torch.")


def pretty(value: Any) -> str:
    """Return a plain value as NumPy would print it; several values side by side."""
    if isinstance(value, Refusal):
        return value.kind
    if isinstance(value, list):
        return str(np.array(value))
    if isinstance(value, tuple):
        if all(isinstance(inner, (int, str)) for inner in value):
            return str(value).replace("'", "")
        return beside([pretty(inner) for inner in value])
    return f"{value:g}" if isinstance(value, float) else str(value)


def beside(blocks: Sequence[str], gap: str = "   ") -> str:
    """Return texts of one or more lines side by side."""
    split = [block.split("\n") for block in blocks]
    width = [max(map(len, lines)) for lines in split]
    rows = zip_longest(*split, fillvalue="")
    return "\n".join(gap.join(map(str.ljust, row, width)).rstrip() for row in rows)


def _snippet(step: Step, given: str, torch: ModuleType | None) -> Snippet:
    own = _value(step.numpy, np, np.array)
    lines = [_line(step, "NumPy", step.numpy, own)]
    if torch is None:
        lines.append(Line("PyTorch", source_of(step.torch)))
    else:
        other = _value(step.torch, torch, torch.tensor)
        lines.append(_line(step, "PyTorch", step.torch, other, None if step.torch_gives else own))
    told = Note(f"lesson.{step.name}", {})
    return Snippet(told, given, lines, "" if isinstance(own, Refusal) else pretty(plain_value(own)))


def _line(step: Step, library: str, function: Callable[..., Any], value: Any, like: Any = None) -> Line:
    """Return a library's result, compared with the expected result and, where there is one, with ``like``."""
    expected, ours = step.expected[library], plain_value(value)
    shape, dtype = _form(value)
    good = ours == expected and (like is None or ours == plain_value(like)) and step.dtype in ("", dtype)
    values = {"name": step.name, "library": library}
    printed, shown = (x.kind if isinstance(x, Refusal) else x for x in (expected, ours))
    check = Check("lesson.tensors-gives", values, printed, shown, good)
    refusal = f"{value.kind}: {value.words}" if isinstance(value, Refusal) else ""
    return Line(library, source_of(function), shape, dtype, refusal=refusal, check=check)


def _value(function: Callable[..., Any], library: ModuleType, make: Callable[[Any], Any]) -> Any:
    """Return the result of a step in a library, or the error that it raises."""
    values = [make(GIVEN[name]) for name in _names(function)]
    try:
        return function(library, *values)
    except (RuntimeError, ValueError, TypeError) as error:
        return Refusal(type(error).__name__, str(error).partition("\n")[0])


def _form(value: Any) -> tuple[str, str]:
    """Return the shape and number type of an array; empty for anything else."""
    if not hasattr(value, "dtype"):
        return "", ""
    return str(tuple(value.shape)), str(plain_value(value.dtype))


def _names(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)[1:]


def _given(name: str) -> str:
    value = np.array(GIVEN[name])
    return beside([f"{name} =", str(value)], " ") if value.size <= LARGE else f"{name}.shape = {value.shape}"


def _torch() -> ModuleType | None:
    try:
        return require_torch()
    except OptionError:
        return None


SECTIONS = tensor_sections
