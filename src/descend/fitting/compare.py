"""Comparing hypotheses about one target: the same rows, the same folds, and which to prefer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.analysis.comparison import Comparison, Entry
from descend.analysis.verdicts import FEW_ROWS, verdict_of
from descend.analysis.verification import HOLDOUT_FROM, split_rows, told_base
from descend.base.arguments import require_functions
from descend.base.errors import DesignError, FitError, OptionError
from descend.fitting._assessment import unfinished
from descend.fitting._stated import stated
from descend.fitting.problem import Problem
from descend.formula.parser import parse
from descend.objectives.target import choose_family, target_uses
from descend.solvers.parameter_settings import names_given
from descend.solvers.recipe import Recipe
from descend.tables.columns import gather, uses
from descend.tables.open import header_of, held, open_rows, require_formula
from descend.tables.table import Table

if TYPE_CHECKING:
    from descend.base.typing import Floats, OnEpoch
    from descend.objectives.families import Family

FOLDS = 10
LATE = "verdict.untrained"
APART = {"verdict.better-apart", "verdict.better-ranks"}


def compare(
    source: Any,
    formulas: Sequence[str],
    *,
    recipe: Recipe | None = None,
    on_fold: OnEpoch | None = None,
    memory: str | int | None = None,
    **settings: Any,
) -> Comparison:
    """Score each hypothesis on rows it has not seen, the same folds for all.

    memory: what the table may take ("2GB"; default: half of what is free); the rows are held there. What a setting says
    of a parameter is heeded by the equations that have it.

    Ten folds with 50 rows or more, else every row by itself; ``test`` asks for another number. Rows with a missing
    cell in any of the hypotheses' columns are treated alike for all. Raises DescendError as ``fit`` does, and
    OptionError for fewer than two hypotheses, for different targets or families, or for a table that does not fit in
    memory.

    >>> import descend
    >>> table = {"hours": [1, 2, 3, 4, 5], "score": [3.1, 4.9, 7.2, 8.8, 11.0]}
    >>> comparison = descend.compare(table, ["score ~ 1", "score ~ hours"])
    >>> [(entry.formula, round(entry.score, 2)) for entry in comparison.entries]
    [('score ~ 1', 3.49), ('score ~ hours', 0.19)]
    >>> comparison.best.formula
    'score ~ hours'
    """
    recipe = Recipe.of(recipe, settings)
    require_functions(on_fold=on_fold)
    if isinstance(formulas, str | bytes | Mapping) or not isinstance(formulas, Sequence):
        raise OptionError("option.kind", name="formulas", found=type(formulas).__name__, wanted="list")
    if len(formulas) < 2:
        raise OptionError("option.one-hypothesis")
    for formula in formulas:
        require_formula(formula, source)
    table = held(open_rows(source, memory=memory, header=header_of(None, *formulas)), memory)
    if not isinstance(table, Table):
        raise OptionError("option.scan-compare", name=table.name, rows=table.rows)
    recipes = _own_recipes(recipe, formulas, table.columns)
    hypotheses = [
        stated(formula, table.columns, table.repeated, own) for formula, own in zip(formulas, recipes, strict=True)
    ]
    outputs = [{name.name for name in hypothesis.outputs} for hypothesis in hypotheses]
    for hypothesis, output in zip(hypotheses, outputs, strict=True):
        if output != outputs[0]:
            raise OptionError("option.other-target", first=hypotheses[0].text, other=hypothesis.text)
    families = [choose_family(hypothesis, table, recipe.family, recipe.loss)[0] for hypothesis in hypotheses]
    family = families[0]
    for hypothesis, other in zip(hypotheses, families, strict=True):
        if other.name != family.name:
            texts = {"first": hypotheses[0].text, "other": hypothesis.text}
            raise OptionError("option.other-family", **texts, family=family.name, wanted=other.name)
    targets = target_uses(hypotheses[0], family)
    wanted = dict(targets)
    for hypothesis in hypotheses:
        for name, use in uses(hypothesis, table).items():
            if wanted.setdefault(name, use) != use:
                raise DesignError("design.both-uses", column=name)
    data = gather(wanted, table, missing=recipe.missing, required=targets)
    problems = [Problem.of(one, table, own, data) for one, own in zip(hypotheses, recipes, strict=True)]
    rows = len(data)
    test = (str(FOLDS) if rows >= HOLDOUT_FROM else "loo") if recipe.test == "auto" else recipe.test
    split = split_rows(rows, test, recipe.seed, problems[0].codes)
    if split.method == "none":
        raise OptionError("option.test", value=test)
    for problem, own in zip(problems, recipes, strict=True):
        problem.require_feasible(split, own)
    losses, bases, columns, verdicts = [], [], [], []
    for index, (problem, own) in enumerate(zip(problems, recipes, strict=True)):
        if on_fold is not None:
            on_fold(index, len(problems))
        trained = problem.train(split.train, own)
        if trained.history.diverged:
            raise FitError("fit.diverged-in-compare", formula=problem.hypothesis.text)
        truth, predicted, base = problem.predict_unseen(split, trained, own)
        told = told_base(problem.target, truth, base, split.method)
        done = not unfinished(problem, trained, own)
        verdicts.append(verdict_of(problem.target, truth, predicted, told, base, finished=done).code if done else LATE)
        losses.append(family.row_errors(problem.target, truth, predicted))
        bases.append(family.row_errors(problem.target, truth, told))
        columns.append(len(trained.weights))
    about = table.name, rows, len(split.folds)
    return _compared(about, family, family.unit(truth), hypotheses, losses, bases[0], columns, verdicts)


def _own_recipes(recipe: Recipe, formulas: Sequence[str], columns: Sequence[str]) -> list[Recipe]:
    """Return the recipe of each hypothesis: without what is said of parameters that only others have.

    A name that no equation has stays with the equations, for the error that tells it.
    """
    parsed = [parse(formula) if isinstance(formula, str) else formula for formula in formulas]
    parameters = [one.parameters_among(columns) for one in parsed]
    every = {name for names in parameters for name in names}
    of_equations = every.union(recipe.limits, recipe.held, names_given(recipe.parameters)) if every else every
    return [recipe.without_parameters(every.difference(names) if names else of_equations) for names in parameters]


def _compared(
    about: tuple[str, int, int],
    family: Family,
    unit: float,
    hypotheses: Sequence[Any],
    losses: list[Floats],
    base: Floats,
    columns: list[int],
    verdicts: list[str],
) -> Comparison:
    """Return the comparison: scores, differences and a verdict from each hypothesis's row losses."""
    squared = family.squared

    def score(values: Floats) -> float:
        return float(np.sqrt(values.mean())) * unit if squared else float(values.mean())

    def error(values: Floats, around: float) -> float:
        """Return the standard error of a score; of a root by the delta method, d sqrt(m) = dm / (2 sqrt(m))."""
        spread = float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else float("nan")
        if not squared:
            return spread
        return spread * unit**2 / (2 * around) if around > 0 else 0.0

    def influence(index: int) -> Floats:
        """Return what each row adds to a score, but for a constant, so that differences of scores can be judged."""
        return losses[index] / scores[index] if squared and scores[index] > 0 else losses[index]

    scores = [score(values) for values in losses]
    best = int(np.argmin([round(value, 12) for value in scores]))
    best = min(range(len(scores)), key=lambda i: (scores[i] > scores[best] * (1 + 1e-9), columns[i]))
    entries = [
        Entry(
            hypothesis.text,
            columns[index],
            scores[index],
            error(losses[index], scores[index]),
            scores[index] - scores[best],
            error(influence(index) - influence(best), 1.0),
        )
        for index, hypothesis in enumerate(hypotheses)
    ]
    chosen = entries[best]
    near = [entry for entry in entries if entry.score <= chosen.score + chosen.error] or [chosen]
    simplest = min(near, key=lambda entry: (entry.columns, entry.score))
    following = min((entry for entry in entries if entry is not chosen), key=lambda entry: entry.score)
    tested = losses[0].size
    values: dict[str, Any] = {"best": chosen.formula, "rows": tested}
    late = [entry.formula for entry, code in zip(entries, verdicts, strict=True) if code == LATE]
    apart = [entry.formula for entry, code in zip(entries, verdicts, strict=True) if code in APART]
    if late:
        verdict, values["late"] = "report.prefer-untrained", "; ".join(late)
    elif chosen.score >= score(base):
        verdict = "report.prefer-apart" if apart else "report.prefer-none"
        values |= {"apart": "; ".join(apart)} if apart else {}
    elif tested < FEW_ROWS:
        verdict = "report.prefer-few"
    elif simplest is not chosen:
        verdict = "report.prefer-simple"
        values |= {
            "simplest": simplest.formula,
            "difference": simplest.difference,
            "error": simplest.difference_error,
        }
    else:
        clear = following.difference > 2 * following.difference_error
        verdict = "report.prefer-clear" if clear else "report.prefer-best"
        values |= {
            "next": following.formula,
            "difference": following.difference,
            "error": following.difference_error,
        }
    return Comparison(
        *about,
        tested,
        family.error,
        score(base),
        entries,
        chosen,
        simplest,
        verdict,
        values,
    )
