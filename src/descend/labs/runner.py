"""Run a lab: train a worked example and compare its results with the printed figures.

A figure is reproduced when it agrees to 1e-4 relative, or to half a unit of its last printed decimal. Examples without
printed figures are compared with theory.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.fitting.problem import Problem
from descend.formula.parser import parse
from descend.labs import Lab, Lesson, example
from descend.labs.outcome import Check, Outcome
from descend.objectives.metrics import class_scores
from descend.solvers.recipe import Recipe
from descend.solvers.run_options import RunOptions
from descend.tables.open import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from descend.base.typing import Floats, OnEpoch
    from descend.fitting.trained import TrainedProblem

RELATIVE = 1e-4
DRAWS = 200
FAR = 10_000_000


def run_lab(lab: Lab | Lesson) -> Outcome:
    """Run a lab and check all its figures."""
    if isinstance(lab, Lesson):
        parts = lab.run()
        return Outcome(lab, [check for part in parts for check in part.checks], parts)
    batches: list[tuple[int, float]] = []
    problem, trained = train_lab(lab, on_batch=lambda epoch, loss: batches.append((epoch, loss)))
    checks = [*_log(lab, trained), *_figures(lab, problem, trained), *_batches(lab, batches)]
    if lab.rule == "noisy-line":
        checks += _noisy_line(lab)
    elif lab.rule == "sine-cubic":
        checks += _sine_cubic(lab)
    elif lab.id == "signs":
        falls = bool((np.diff(trained.history.loss) < 0).all())
        checks.append(Check("lab.falls", {}, "", float(trained.history.loss[-1]), falls))
    if not math.isfinite(trained.history.final_loss):
        return Outcome(lab, checks)
    fitted, target = trained.hypothesis, problem.target
    return Outcome(lab, checks, equation=fitted.equation(target), coefficients=fitted.coefficients(target))


def train_lab(
    lab: Lab,
    *,
    seed: int = 0,
    epochs: int | None = None,
    on_batch: OnEpoch | None = None,
) -> tuple[Problem, TrainedProblem]:
    """Fit a lab's hypothesis from its start with its settings."""
    table = read(lab.table(seed))
    recipe = recipe_of(lab)
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    problem = Problem.of(parse(lab.hypothesis).resolve(table.columns), table, recipe)
    return problem, problem.train(np.arange(table.rows), recipe, RunOptions(on_batch=on_batch, halt=False))


def recipe_of(lab: Lab) -> Recipe:
    """Return the recipe of a lab; one that continues another starts from that one's result."""
    if lab.continues:
        init: Any = train_lab(example(lab.continues))[1].weights
    elif isinstance(lab.init, str):
        init = lab.init
    else:
        init = np.array([*([lab.init["bias"]] if "bias" in lab.init else []), *lab.init["weight"]])
    return Recipe(
        family=lab.family,
        loss=lab.loss,
        optimizer="sgd",
        lr=lab.lr,
        epochs=lab.epochs,
        batch_size=lab.batch_size,
        standardize=bool(lab.standardize),
        ddof=lab.standardize.get("ddof", 0),
        init=init,
        dtype=lab.dtype,
        test="none",
    )


def agrees(printed: float | str, ours: float, decimals: int) -> bool:
    """Tell whether a figure is reproduced; "inf" and "nan" must come out as such."""
    if isinstance(printed, str):
        return math.isnan(ours) if printed == "nan" else ours == float(printed)
    return abs(ours - printed) <= max(RELATIVE * abs(printed), 0.5 * 10.0**-decimals * (1 + 1e-9))


def _decimals(figures: Any) -> int:
    """Return the largest number of decimals among the printed figures."""
    flat = np.ravel(np.array(figures, dtype=object)).tolist()
    texts = [
        f"{figure:.17f}".rstrip("0") if abs(figure) < 1e-4 else repr(figure)
        for figure in flat
        if not isinstance(figure, str)
    ]
    return max((len(text.partition(".")[2].partition("e")[0]) for text in texts), default=0)


def _log(lab: Lab, trained: TrainedProblem) -> Iterator[Check]:
    decimals = lab.decimals if lab.decimals is not None else 6
    for epoch, printed in lab.log:
        ours = trained.history.at(epoch - lab.log_from_one)
        good = agrees(printed, ours, decimals)
        if lab.log_tolerance is not None:
            good = abs(ours - printed) <= lab.log_tolerance
        yield Check("lab.at-epoch", {"epoch": epoch}, printed, ours, good)


def _figures(lab: Lab, problem: Problem, trained: TrainedProblem) -> Iterator[Check]:
    """Yield the checks of weights, predictions, probabilities and accuracies, where a lab prints them."""

    def check(code: str, printed: Any, ours: Any, like: Any, **values: Any) -> Check:
        return Check(f"lab.{code}", values, printed, float(ours), agrees(printed, float(ours), _decimals(like)))

    figures, history = lab.figures, trained.history
    snapshots = dict(zip(history.snapshot_epoch.tolist(), history.snapshots, strict=True))

    def predicted(epoch: int) -> Floats:
        weights = snapshots[epoch].reshape(trained.weights.shape)
        return problem.target.predict(trained.design.matrix(problem.data) @ weights)

    if "after_last_update" in figures:
        after = figures["after_last_update"]
        printed_weights = [*after["bias"], *(row[0] for row in after["weight"])]
        named = trained.hypothesis.coefficient_names(0)
        for one, printed, ours in zip(named, printed_weights, trained.weights[:, 0], strict=True):
            yield check("weight-of", printed, ours, printed_weights, column=one.parameter)
        for row, (printed, ours) in enumerate(zip(after["predictions"], predicted(lab.epochs)[:, 0], strict=True)):
            yield check("prediction-of", printed, ours, after["predictions"], row=row + 1)
        yield check("final-loss", after["loss"], history.at(lab.epochs - 1), [1e-6])
    for epoch, printed in figures.get("weights", []):
        yield check("weight-at", printed, snapshots[epoch][0], figures["weights"], epoch=epoch)
    for epoch, row_figures in figures.get("predictions", []):
        for row, (printed, ours) in enumerate(zip(row_figures, predicted(epoch)[:, 0], strict=True)):
            yield check("prediction-at", printed, ours, [1e-4], epoch=epoch, row=row + 1)
    codes = problem.codes
    for epoch, printed in figures.get("accuracy", []):
        assert codes is not None
        yield check("accuracy-at", printed, class_scores(codes, predicted(epoch))["accuracy"], [0.01], epoch=epoch)
    for row, printed in enumerate(figures.get("probabilities_after", [])):
        yield check("probability-of", printed, predicted(lab.epochs)[row, 1], [printed], row=row + 1)
    for row, printed_row in enumerate(figures.get("standardized", [])):
        ours_row = trained.design.matrix(problem.data)[row, 1:]
        for name, printed, ours in zip(trained.design.names[1:], printed_row, ours_row, strict=True):
            yield check("standardized", printed, ours, [1e-4], column=name, row=row + 1)
    if "test" in figures:
        test = figures["test"]
        recipe = recipe_of(lab)
        unseen = Problem.of(
            problem.hypothesis,
            read(lab.table() if not test else test["data"]),
            replace(recipe, family="linear", loss="auto"),
        )
        codes = np.array([problem.target.levels.index(str(label)) for label in test["data"][problem.target.columns[0]]])
        scores = class_scores(codes, trained.predict(problem.target, unseen.data))
        yield check("test-accuracy", test["accuracy"], scores["accuracy"], [0.01])
        yield check("test-loss", test["loss"], scores["log_loss"], [1e-6])


def _batches(lab: Lab, batches: list[tuple[int, float]]) -> Iterator[Check]:
    if "batches_per_epoch" in lab.figures:
        each = len(batches) / lab.epochs
        printed = lab.figures["batches_per_epoch"]
        yield Check("lab.batches", {}, printed, each, each == printed)
        low, high = lab.figures["loss_range"]
        losses = [loss for _, loss in batches]
        yield Check("lab.batch-range", {}, low, min(losses), min(losses) >= low)
        yield Check("lab.batch-range", {}, high, max(losses), max(losses) <= high)


def _noisy_line(lab: Lab) -> Iterator[Check]:
    """Check the mean loss over many draws: it starts at 4 + 4 + 1, and 15 epochs leave 0.8^15 of the distance."""
    runs = [train_lab(lab, seed=seed)[1] for seed in range(DRAWS)]
    start = float(np.mean([run.history.loss[0] for run in runs]))
    yield Check("lab.start-loss", {}, 9.0, start, abs(start - 9) < 0.1)
    left = (1 - 2 * lab.lr) ** lab.epochs
    names = [one.parameter for one in runs[0].hypothesis.coefficient_names(0)]
    for index, (name, end, first) in enumerate(zip(names, (2.0, 3.0), (0.0, 5.0), strict=True)):
        expected = end + (first - end) * left
        ours = float(np.mean([run.weights[index, 0] for run in runs]))
        yield Check("lab.arrives", {"column": name, "value": end}, expected, ours, abs(ours - expected) < 0.02)


def _sine_cubic(lab: Lab) -> Iterator[Check]:
    """Check that the run converges to the least-squares cubic, computed independently by numpy.polyfit."""
    table = lab.table()
    x, y = table["x"].to_numpy(), table["y"].to_numpy()
    cubic = np.polynomial.polynomial.polyfit(x, y, 3)
    problem, far = train_lab(lab, epochs=FAR)
    named = far.hypothesis.coefficients(problem.target)
    for (name, ours), printed in zip(named.items(), cubic[::-1], strict=True):  # written from the highest power down
        yield Check(
            "lab.limit-of",
            {"name": name},
            float(printed),
            float(ours),
            agrees(float(printed), float(ours), 6),
        )
    least = float(np.square(y - np.polynomial.polynomial.polyval(x, cubic)).sum())
    yield Check("lab.limit-loss", {}, least, far.history.final_loss, agrees(least, far.history.final_loss, 6))
