"""The minimum of an equation's loss: NIST's certified digits, bounds and losses beside SciPy's."""

import ast
import json
import math
from pathlib import Path

import numpy as np
import pytest

from descend.formula.ast import Apply, Curve, Name, Number, Operation, Unknown, unknowns_of
from descend.objectives.curve import CurveObjective
from descend.objectives.losses import LOSSES
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows
from descend.solvers._levenberg import Box, descend_curve
from descend.solvers._separable import Projection

SETS = json.loads((Path(__file__).parent / "data" / "nist-nonlinear.json").read_text(encoding="utf-8"))
EXACT = {"Lanczos1"}  # its residuals are the rounding of its numbers: its digits are few, its sum of squares next to 0
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
SOLVED = {  # the linear parameters, by hand
    "DanWood": "b1", "Gauss1": "b1 b3 b6", "Gauss2": "b1 b3 b6", "Gauss3": "b1 b3 b6", "Lanczos1": "b1 b3 b5",
    "Lanczos2": "b1 b3 b5", "Lanczos3": "b1 b3 b5", "Misra1a": "b1", "Misra1b": "b1", "Misra1c": "b1", "Misra1d": "b1",
    "ENSO": "b1 b2 b3 b5 b6 b8 b9", "Hahn1": "b1 b2 b3 b4", "Kirby2": "b1 b2 b3", "MGH17": "b1 b2 b3",
    "Nelson": "b1 b2", "Bennett5": "b1", "BoxBOD": "b1", "Eckerle4": "b1", "MGH09": "b1", "MGH10": "b1", "Rat42": "b1",
    "Rat43": "b1", "Thurber": "b1 b2 b3 b4",
}  # fmt: skip


def expression(text, columns):
    """Return the tree of a Python expression."""

    def made(node):
        match node:
            case ast.BinOp():
                return Operation(OPERATORS[type(node.op)], made(node.left), made(node.right))
            case ast.UnaryOp():
                return Operation("-", None, made(node.operand))
            case ast.Constant():
                return Number(float(node.value))
            case ast.Name("pi"):
                return Number(math.pi, "pi")
            case ast.Name(name):
                return Name(name) if name in columns else Unknown(name)
            case ast.Call():
                return Apply(node.func.id.replace("arctan", "atan"), made(node.args[0]))

    return made(ast.parse(text, mode="eval").body)


def curve_of(*texts, columns=("x",)):
    trees = tuple(expression(text, columns) for text in texts)
    names = dict.fromkeys(unknown.name for tree in trees for unknown in unknowns_of(tree))
    return Curve(trees, tuple(names), tuple(columns))


def objective_of(curve, X, Y, loss="mse", l2=0.0, weight=None):
    X, Y = (np.reshape(np.asarray(A, dtype=float), (len(A), -1)) for A in (X, Y))
    return CurveObjective(DesignRows(X, Y, weight), curve, LOSSES[loss], L2(l2, np.ones(len(curve.parameters))))


def nist(entry):
    columns = entry["columns"]
    y = np.array(columns["y"])
    curve = curve_of(entry["model"], columns=tuple(entry["predictors"]))
    curve = Curve(curve.expressions, tuple(entry["parameters"]), curve.columns)
    X = np.column_stack([columns[name] for name in entry["predictors"]])
    return objective_of(curve, X, np.log(y) if entry["response"].startswith("log") else y)


STARTS = [pytest.param(entry, start, id=f"{entry['name']}-{start}") for entry in SETS for start in ("start1", "start2")]


@pytest.mark.parametrize(("entry", "start"), STARTS)
def test_the_certified_sum_of_squares_of_nist_is_reached_from_a_start(entry, start):
    objective = nist(entry)
    problem = Projection(objective, tuple(SOLVED.get(entry["name"], "").split()))
    found = descend_curve(problem, np.array(entry[start])[problem.searched])
    rounding = 1e-24 if entry["name"] in EXACT else 0.0
    total = found.loss * objective.rows
    assert total == pytest.approx(entry["residual_sum_of_squares"], rel=1e-9, abs=rounding)


def test_a_step_to_where_the_equation_is_not_defined_is_not_made():
    x = np.linspace(1, 5, 30)
    objective = objective_of(curve_of("a*log(x - c)"), x, 2 * np.log(x - 0.9))
    found = descend_curve(Projection(objective), np.array([40.0, 0.0]))
    np.testing.assert_allclose(found.w, [2, 0.9], rtol=1e-10)


def test_a_start_outside_the_domain_is_said_to_be_undefined():
    objective = objective_of(curve_of("a*log(x - c)"), [1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert descend_curve(Projection(objective), np.array([1.0, 5.0])).stop == "undefined"


def test_a_parameter_that_no_row_determines_stays_where_it_starts():
    x = np.linspace(0, 3, 20)
    objective = objective_of(curve_of("a*exp(-k*x) + 0*c"), x, 3 * np.exp(-2 * x))
    found = descend_curve(Projection(objective), np.array([1.0, 1.0, 7.0]), Box.of(None, 3))
    np.testing.assert_allclose(found.w, [3, 2, 7], rtol=1e-9)
