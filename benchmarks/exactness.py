"""How many of NIST's certified digits come out: descend beside scikit-learn, NumPy and statsmodels."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings

import numpy as np

import descend
from descend.fitting.forecast import prepare_forecast
from descend.solvers.recipe import Recipe
from descend.tables.executors import Reading, Threads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

SETS = Path(__file__).parent.parent / "tests" / "data" / "strd.json"
MOST = 15.0


def table() -> tuple[str, list[dict[str, Any]]]:
    """Return a Markdown table, and its rows as facts."""
    rows = [row(entry) for entry in json.loads(SETS.read_text(encoding="utf-8"))]
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(str(value) for value in each.values()) + " |" for each in rows]
    return "\n".join(["### exactness", "", *lines]), rows


def row(entry: dict[str, Any]) -> dict[str, Any]:
    from sklearn.linear_model import LinearRegression

    certified, errors = list(entry["coefficients"].values()), list(entry["standard_errors"].values())
    model = descend.fit(entry["formula"], entry["columns"], test="none")
    recipe = Recipe(standardize=False)
    _, _, objective, _ = prepare_forecast(entry["formula"], entry["columns"], recipe, Reading(Threads()), None, None)
    X, y = objective.X, objective.Y[:, 0]
    constant = bool((X[:, 0] == 1).all())
    fitted_peer = LinearRegression(fit_intercept=constant).fit(X[:, int(constant) :], y)
    peer = [*([fitted_peer.intercept_] if constant else []), *fitted_peer.coef_]
    found = {
        "set": entry["name"],
        "descend": digits(model.raw[:, 0], certified),
        "descend, std. errors": digits(model.inference.errors[:, 0], errors),
        "scikit-learn": digits(peer, certified),
        "NumPy lstsq": digits(np.linalg.lstsq(X, y, rcond=None)[0], certified),
    }
    try:
        from statsmodels.api import OLS
    except ImportError:
        return found
    with catch_warnings(action="ignore"):
        fitted = OLS(y, X).fit()
    return found | {
        "statsmodels": digits(fitted.params, certified),
        "statsmodels, std. errors": digits(fitted.bse, errors),
    }


def digits(found: Iterable[float], certified: list[str]) -> float:
    """Return the least number of right digits, 15 at most; of a certified 0 those after the point."""
    counts = [MOST]
    for ours, exact in zip(found, map(Decimal, certified), strict=True):
        error = abs(Decimal(float(ours)) - exact) / (abs(exact) or 1)
        if error:
            counts.append(max(float(-error.log10()), 0.0))
    return round(min(counts), 1)
