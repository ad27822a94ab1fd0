"""Checks of the arguments of public functions."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from descend.base.errors import OptionError
from descend.base.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (Integral,),
    "float": (Real,),
    "path": (str, os.PathLike),
    "function": (),
    "object": (object,),
    "None": (type(None),),
}


def require(name: str, value: Any, *kinds: str) -> None:
    """Raise OptionError (``option.kind``) unless an argument is of one of the kinds, which are keys of KINDS."""
    for kind in kinds:
        if kind == "function":
            fits = callable(value)
        else:
            fits = isinstance(value, KINDS[kind]) and (kind == "bool" or not isinstance(value, bool))
        if fits:
            return
    raise OptionError("option.kind", name=name, found=type(value).__name__, wanted=", ".join(kinds))


def require_functions(**given: Callable[..., Any] | None) -> None:
    """Raise OptionError for a callback that is neither callable nor None."""
    for name, value in given.items():
        require(name, value, "function", "None")


def require_known(given: Iterable[str], known: Sequence[str]) -> None:
    """Raise OptionError for the first setting that is not known, with the known one that may be meant."""
    for name in given:
        if name not in known:
            near = nearest(name, known)
            code = "option.unknown-near" if near else "option.unknown"
            raise OptionError(code, name=name, near=near, known=", ".join(known))
