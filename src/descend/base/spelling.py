"""Suggestions for unknown words: the name of a setting in another library, or a misspelling."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MEANT = {  # names of settings in other libraries
    "learning_rate": "lr", "learning-rate": "lr", "rate": "lr", "eta": "lr", "eta0": "lr", "step": "lr", "alpha": "l2",
    "lambda": "l2", "penalty": "l2", "ridge": "l2", "weight": "weight_decay", "iterations": "epochs",
    "max_iter": "epochs", "max-iter": "epochs", "steps": "epochs", "n_epochs": "epochs", "solver": "optimizer",
    "method": "optimizer", "tol": "tolerance", "batch": "batch_size", "random_state": "seed", "scale": "standardize",
    "normalize": "standardize", "start": "init", "loss_function": "loss", "model": "hypothesis",
    "early_stopping": "patience", "validation_split": "validation", "test_size": "test", "cv": "test",
    "learnrate": "lr", "sep": "delimiter", "na_values": "na", "output": "out", "save": "out",
}  # fmt: skip


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that an unknown one may mean, "" where none is close."""
    known = list(known)
    meant = MEANT.get(word.lower(), "")
    if meant in known or meant.replace("_", "-") in known:
        return meant if meant in known else meant.replace("_", "-")
    lower = {one.lower(): one for one in known}
    return next((lower[near] for near in get_close_matches(word.lower(), lower, n=1, cutoff=0.6)), "")
