"""The loss of an equation over rows, and the nonlinear sets of NIST."""

from __future__ import annotations

import json

import numpy as np
from conftest import ROOT

from descend.formula.evaluate import values_of
from descend.formula.parser import parse
from descend.objectives.curve import CurveObjective
from descend.objectives.families import FAMILIES
from descend.objectives.losses import make_loss
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows

NIST = {case["name"]: case for case in json.loads((ROOT / "tests/data/nist-nonlinear.json").read_text())}


def over(equation, table, *, family="linear", loss="auto", weight=None, l2=0.0):
    """Return the loss of an equation over the rows of a table of numbers, and its target's columns (rows x targets)."""
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in table.items()}
    hypothesis = parse(equation).resolve(list(columns))
    curve = hypothesis.curve
    assert curve is not None
    Y = np.column_stack([values_of(target, columns) for target in hypothesis.targets])
    rows = DesignRows(np.column_stack([columns[name] for name in curve.columns]), Y, weight)
    penalty = L2(l2, np.ones(len(curve.parameters)))
    return CurveObjective(rows, curve, make_loss(loss, FAMILIES[family]), penalty)


def nist(name):
    """Return the loss of a set of NIST, the certified parameters in its order, and their standard deviations."""
    case = NIST[name]
    objective = over(case["formula"].replace("~", "="), case["columns"])
    order = [case["parameters"].index(parameter) for parameter in objective.curve.parameters]
    return objective, np.array(case["certified"])[order], np.array(case["standard_deviations"])[order]
