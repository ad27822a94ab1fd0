"""What is computed once a fit is done: exact coefficients, the certificate, the inference, and the findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from descend.analysis.certificates import Certificate, certify
from descend.analysis.diagnosis import Evidence, diagnose, is_unfinished
from descend.analysis.inference import MOST, Inference, infer
from descend.analysis.refined_least_squares import HARD, exactly, worth_it
from descend.analysis.verification import baseline
from descend.base.messages import Note
from descend.model.cautions import kept_errors, medians, ranges_of
from descend.model.record import Assessment, FittedRows
from descend.model.sample import keep_sample

if TYPE_CHECKING:
    from descend.analysis.refined_least_squares import Exact
    from descend.base.typing import Floats
    from descend.fitting._statement import Statement
    from descend.fitting.problem import Problem
    from descend.fitting.trained import TrainedProblem
    from descend.model.hypothesis import FittedHypothesis
    from descend.objectives.curve import CurveObjective
    from descend.objectives.in_memory import RowsObjective
    from descend.objectives.torch_module import ModuleObjective
    from descend.solvers.recipe import Recipe
    from descend.tables.columns import Columns

WORK = 2e11
NEAR, NEAR_ENOUGH = 3e-13, 1e-6


def assess(problem: Problem, trained: TrainedProblem, recipe: Recipe) -> tuple[FittedHypothesis, Assessment]:
    """Assess a fit, and return its hypothesis, with exact coefficients where these can be computed.

    Of a fit that diverged or was interrupted only the findings are known.
    """
    fitted, forecast, history = trained.hypothesis, trained.forecast, trained.history
    evidence = _evidence(problem, trained, recipe)
    if trained.curve is not None:
        from descend.fitting._curve_assessment import assess_curve

        return fitted, assess_curve(trained.curve, evidence)
    findings = diagnose(evidence)
    if not np.isfinite(history.final_loss) or history.stop in ("diverged", "interrupted"):
        return fitted, Assessment(findings=findings, forecast=forecast)
    if not fitted.linear:
        certificate = Certificate("none", None, history.final_gradient_norm)
        why = Note(fitted.refusals["inference"], {})
        return fitted, Assessment(None, certificate, why, findings, forecast)
    hessian = _hessian(trained)
    weights = trained.weights.ravel()
    slope, live = history.final_gradient_norm, trained.design.live
    certificate = certify(trained.objective, weights, history.gap, hessian, slope, live=live)
    if trained.history.stop == "solved":
        certificate = Certificate("exact", 0.0, certificate.slope)
    exact = _exact(trained, trained.data)
    quadratic = trained.quadratic
    inference = infer(trained.objective, trained.design, trained.weights, quadratic, exact, hessian)
    if isinstance(inference, Inference) and not _arrived(trained, certificate):
        inference = Note("inference.not-optimum", {})
    if exact is not None:
        coefficients, rest = exact.coefficients
        needed = quadratic is not None and quadratic.column_condition > HARD
        fitted = fitted.exactly(coefficients, rest if needed else None)
    return fitted, Assessment(None, certificate, inference, findings, forecast)


def rows_of_fit(statement: Statement, trained: TrainedProblem) -> FittedRows:
    """Return what a model keeps of the fitted rows."""
    problem, recipe, split = statement.problem, statement.recipe, statement.split
    tested = split.folds[0][1] if split.method == "holdout" else np.empty(0, dtype=np.int64)
    base = problem.base
    if base is None:
        targets = problem.data.only(problem.target.columns).take(split.train)
        base = baseline(problem.target, problem.target.truth(targets), 1)
    sample = None
    if recipe.keep_rows:
        sample = keep_sample(problem.data, split.train, tested, recipe.seed, recipe.keep_rows)
    ranges = ranges_of(problem.data, split.train, problem.uses)
    return FittedRows(trained.over.rows, base, problem.data.means, ranges, _errors(problem, trained), sample)


def _errors(problem: Problem, trained: TrainedProblem) -> Floats | None:
    """Return the errors by which a transformed target's mean is predicted; None where its prediction is the mean."""
    rows = trained.shown or cast("CurveObjective | None", trained.curve) or trained.whole
    if rows is None or not medians(problem.target):
        return None
    errors = kept_errors(rows.Y, trained.hypothesis.predictor(rows.X.astype(np.float64)))
    return errors if np.isfinite(errors).all() else None


def unfinished(problem: Problem, trained: TrainedProblem, recipe: Recipe) -> bool:
    """Return whether a fit ended before it arrived near the optimum."""
    if trained.history.stop in ("optimum", "solved", "converged", "early"):
        return False
    with np.errstate(all="ignore"):
        evidence = _evidence(problem, trained, recipe)
        # the run alone does not show whether there is an end
        return is_unfinished(evidence) and any(finding.unfinished for finding in diagnose(evidence))


def _evidence(problem: Problem, trained: TrainedProblem, recipe: Recipe) -> Evidence:
    return Evidence(
        design=trained.design,
        target=problem.target,
        data=trained.data,
        over=cast("RowsObjective | ModuleObjective | CurveObjective", trained.shown or trained.over),
        weights=trained.weights,
        history=trained.history,
        recipe=recipe,
        quadratic=trained.quadratic,
        forecast=trained.forecast,
        networked=trained.hypothesis.network is not None,
        rows=trained.over.rows,
        search=trained.search,
    )


def _arrived(trained: TrainedProblem, certificate: Certificate) -> bool:
    """Return whether the fit is so near to the optimum that its standard errors hold.

    What went to the optimum is less than a millionth of a standard error from it, a run of so many epochs a thousandth.
    For squared error the gap over each row's share of the loss is the squared distance in standard errors.
    """
    at_optimum = trained.history.stop in ("optimum", "solved")
    if trained.quadratic is not None and at_optimum:
        return True
    loss = abs(trained.history.final_loss)
    near = NEAR if at_optimum else NEAR_ENOUGH
    return certificate.gap is not None and certificate.gap <= near * loss / trained.objective.rows


def _hessian(trained: TrainedProblem) -> Floats | None:
    """Return the Hessian at the end; None where the certificate does not need it, or where it costs too much."""
    objective = trained.objective
    size = trained.weights.size
    if objective.loss.concordance is None or size > MOST:
        return None
    if objective.resident is None and objective.rows * float(size) ** 2 > WORK:  # else it is known already
        return None
    return objective.hessian(trained.weights.ravel())


def _exact(trained: TrainedProblem, data: Columns) -> Exact | None:
    objective, quadratic, live = trained.whole, trained.quadratic, trained.design.live
    if (
        objective is None
        or quadratic is None
        or objective.penalty.active
        or quadratic.among(live).undetermined
        or objective.dtype != np.float64
    ):
        return None
    if trained.history.stop not in ("optimum", "solved") or not objective.loss.quadratic:
        return None
    if not worth_it(objective.rows * int(live.sum()), quadratic.column_condition):
        return None
    return exactly(trained.design, data, objective.Y)
