"""Remedies that change a run: its scale, its rate, its epochs, whether it is one at all."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import TYPE_CHECKING

import numpy as np

from descend.base.messages import Note
from descend.solvers.rates import best_rate
from descend.solvers.schedules import SCHEDULES
from descend.solvers.settings import OF_A_RUN

if TYPE_CHECKING:
    from descend.analysis.diagnosis.change import Change
    from descend.analysis.diagnosis.remedies.case import Case

MOST_EPOCHS = 1_000_000  # more are no remedy
SAFE = 0.9  # of the largest stable rate: the rows that are fitted are not all those of the forecast
FAR = 2  # times the rate: a better one within it is not worth a button
AT_LEAST = 2  # times the epochs where it is known only how many are too few
SPARE = 1.25  # times the epochs foretold, for the same reason as SAFE


def standardise(case: Case) -> list[Change]:
    """Scale the columns; a rate that was chosen for unscaled columns is replaced by the best one."""
    if case.recipe.standardize:
        return []
    if case.recipe.recurs and case.recipe.rate is not None:
        return [case.setting(Note("remedy.standardise-best", {}), standardize=None, lr="auto")]
    return [case.setting(Note("remedy.standardise", {}), standardize=None)]


def _best(case: Case) -> float | None:
    """Return the best rate of the run where its curvatures are known: all rows, sgd, squared error, no schedule."""
    forecast, recipe = case.forecast, case.recipe
    if forecast is None or not forecast.rates or forecast.reason is not None:
        return None
    if not recipe.recurs and recipe.method != "auto":
        return None
    return best_rate(forecast.curvatures, recipe.momentum, recipe.nesterov)


def slower(case: Case) -> list[Change]:
    """Take the best rate where that is known and surely stable, else the one that the finding or error gives.

    In batches that is a tenth; one that is sure to descend is better, where there is one.
    """
    limit, best = float(case.values.get("safe") or case.values["suggestion"]), _best(case)
    sure = case.forecast.batch_sure if case.forecast is not None and case.recipe.recurs else None
    if sure is not None and SAFE * sure < case.values["lr"]:
        limit = SAFE * sure
    label, lr = ("remedy.best-rate", best) if best is not None and best <= limit else ("remedy.rate", limit)
    lr = _rounded_down(lr)
    return [case.setting(Note(label, {"lr": lr}), lr=lr), *optimum(case)]


def faster(case: Case) -> list[Change]:
    """Take the rate that the finding gives: the best one, where that is known."""
    lr, best = case.values["suggestion"], _best(case)
    label = "remedy.best-rate" if best is not None and np.isclose(best, lr, rtol=0.05) else "remedy.rate"
    lr = _rounded_down(lr)
    return [case.setting(Note(label, {"lr": lr}), lr=lr), *optimum(case)]


def longer(case: Case) -> list[Change]:
    """Take a far better rate where the epochs are enough with it, and more epochs."""
    found, best, rate = [], _best(case), case.recipe.rate
    if best is not None and rate is not None and not case.recipe.momentum:
        assert case.forecast is not None
        plain = next(rates for rates in case.forecast.rates if rates.kind == "sgd")
        lr = _rounded_down(min(best, SAFE * plain.stable))
        if lr > FAR * rate and plain.epochs is not None and SPARE * plain.epochs <= case.recipe.length:
            found.append(case.setting(Note("remedy.best-rate", {"lr": lr}), lr=lr))
    enough = case.values["enough"] * (1 if "hundredth" in case.values else AT_LEAST)
    if enough > MOST_EPOCHS and "hundredth" in case.values:
        enough = case.values["epochs"] + case.values["hundredth"]
    if enough <= MOST_EPOCHS:
        epochs = _rounded_up(enough)
        found.append(case.setting(Note("remedy.epochs", {"epochs": epochs}), epochs=epochs))
    return found + optimum(case)


def optimum(case: Case) -> list[Change]:
    """Take back every setting of a run epoch by epoch, so that "auto" goes to the optimum."""
    if case.recipe.networked:
        return []
    return [case.setting(Note("remedy.optimum", {}), **{name: None for name in OF_A_RUN if name in case.settings})]


def sooner(case: Case) -> list[Change]:
    """Stop where the held-out rows were best."""
    epochs = case.values["epoch"]
    if epochs < 1 or SCHEDULES[case.recipe.schedule].spread:  # over all epochs
        return []
    return [case.setting(Note("remedy.stop", {"epochs": epochs}), epochs=epochs)]


def _rounded_down(lr: float) -> float:
    """Return a rate rounded down to three digits, so that it stays below the largest stable one."""
    return float(Context(prec=3, rounding=ROUND_FLOOR).create_decimal_from_float(float(lr)))


def _rounded_up(epochs: int) -> int:
    return int(Context(prec=2, rounding=ROUND_CEILING).create_decimal(epochs))
