"""What a public function is given: of the kind that it takes, or an OptionError; and what a wrong word may mean."""

from __future__ import annotations

import os
from difflib import get_close_matches
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from descend.base.errors import OptionError

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
MEANT = {  # how other libraries call a setting
    "learning_rate": "lr", "learning-rate": "lr", "rate": "lr", "eta": "lr", "eta0": "lr", "step": "lr", "alpha": "l2",
    "lambda": "l2", "penalty": "l2", "ridge": "l2", "weight": "weight_decay", "iterations": "epochs",
    "max_iter": "epochs", "max-iter": "epochs", "steps": "epochs", "n_epochs": "epochs", "solver": "optimizer",
    "method": "optimizer", "tol": "tolerance", "batch": "batch_size", "random_state": "seed", "scale": "standardize",
    "normalize": "standardize", "start": "init", "loss_function": "loss", "model": "hypothesis",
    "early_stopping": "patience", "validation_split": "validation", "test_size": "test", "cv": "test",
    "learnrate": "lr", "sep": "delimiter", "na_values": "na", "output": "out", "save": "out",
}  # fmt: skip


def require(name: str, value: Any, *kinds: str) -> None:
    """Raise OptionError (``option.kind``) where an argument is of none of the kinds, whose names are in KINDS."""
    for kind in kinds:
        if kind == "function":
            fits = callable(value)
        else:
            fits = isinstance(value, KINDS[kind]) and (kind == "bool" or not isinstance(value, bool))
        if fits:
            return
    raise OptionError("option.kind", name=name, found=type(value).__name__, wanted=", ".join(kinds))


def require_functions(**given: Callable[..., Any] | None) -> None:
    """Raise OptionError for a callback that cannot be called."""
    for name, value in given.items():
        require(name, value, "function", "None")


def require_known(given: Iterable[str], known: Sequence[str]) -> None:
    """Raise OptionError for the first setting that is none of the known ones, with the one that may be meant."""
    for name in given:
        if name not in known:
            near = nearest(name, known)
            code = "option.unknown-near" if near else "option.unknown"
            raise OptionError(code, name=name, near=near, known=", ".join(known))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that another may mean, "" where there is none."""
    known = list(known)
    meant = MEANT.get(word.lower(), "")
    if meant in known or meant.replace("_", "-") in known:
        return meant if meant in known else meant.replace("_", "-")
    lower = {one.lower(): one for one in known}
    return next((lower[near] for near in get_close_matches(word.lower(), lower, n=1, cutoff=0.6)), "")
