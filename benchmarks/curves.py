"""How many of NIST's certified digits come out of an equation: descend beside SciPy's curve_fit and lmfit.

The 27 nonlinear reference sets with two starts each. A peer is run as it comes, and at the best setting that was found
for it: derivatives given (descend's own), columns scaled, tolerances down to rounding.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings

import numpy as np

import descend
from descend.formula.evaluate import values_of
from descend.formula.parser import parse
from descend.objectives.curve import CurveObjective
from descend.objectives.losses import LOSSES
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

SETS = Path(__file__).parent.parent / "tests" / "data" / "nist-nonlinear.json"
STARTS = ("start1", "start2")
CERTIFIED = 11.0  # digits of a certified number
EXACT = (
    "Lanczos1",
)  # its certified residuals are rounding, and so are their deviations: it is judged by the parameters
CLOSE, ROUNDING = 1e-9, 1e-24  # of a residual sum of squares, and of one that is rounding
TIGHT = 1e-15
EVALUATIONS = 20_000
FUNCTIONS = {"exp": np.exp, "cos": np.cos, "sin": np.sin, "arctan": np.arctan, "pi": np.pi}


@dataclass(frozen=True)
class Problem:
    """A set with its numbers as arrays, in the order of the equation's parameters."""

    name: str
    equation: str
    columns: dict[str, list[float]]
    objective: CurveObjective
    model: Callable[..., Floats]
    starts: dict[str, Floats]
    certified: Floats
    deviations: Floats
    squares: float

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Problem:
        """Return the problem of an entry of the tests' file."""
        columns = {name: np.array(values) for name, values in entry["columns"].items()}
        equation = entry["formula"].replace("~", "=")
        hypothesis = parse(equation).resolve(list(columns))
        curve, (target,) = hypothesis.curve, hypothesis.targets
        rows = DesignRows(
            np.column_stack([columns[name] for name in curve.columns]), values_of(target, columns)[:, None]
        )
        objective = CurveObjective(rows, curve, LOSSES["sse"], L2(0.0, np.ones(len(curve.parameters))))

        def ordered(values: list[float]) -> Floats:
            named = dict(zip(entry["parameters"], values, strict=True))
            return np.array([named[name] for name in curve.parameters])

        return cls(
            entry["name"], equation, entry["columns"], objective, as_python(entry["model"], curve),
            {start: ordered(entry[start]) for start in STARTS}, ordered(entry["certified"]),
            ordered(entry["standard_deviations"]), entry["residual_sum_of_squares"],
        )  # fmt: skip

    @property
    def x(self) -> Floats:
        """The columns, columns x rows."""
        return self.objective.X.T

    @property
    def y(self) -> Floats:
        """The target."""
        return self.objective.Y[:, 0]

    def slopes(self, w: Floats) -> Floats:
        """Return the model's derivative, rows x parameters."""
        return self.objective.linearised(np.asarray(w))[1][:, 0]


@dataclass(frozen=True)
class Outcome:
    """What a contestant made of a problem from a start; no digits where it raised an error."""

    parameters: float
    deviations: float
    seconds: float
    failed: bool = False


def as_python(text: str, curve: Any) -> Callable[..., Floats]:
    """Return the model of the tests' file as a plain function of NumPy: what a user of the peers would write."""
    arguments = ", ".join(["X", *curve.parameters])
    rows = ", ".join(curve.columns) + ","
    made: dict[str, Any] = dict(FUNCTIONS)
    exec(f"def model({arguments}):\n    {rows} = X\n    return {text}", made)
    return made["model"]  # type: ignore[no-any-return]


def table(problems: Iterable[Problem] | None = None) -> tuple[str, list[dict[str, Any]]]:
    """Return two Markdown tables, by contestant and by set, and the outcomes as facts."""
    chosen = [Problem.of(entry) for entry in json.loads(SETS.read_text("utf-8"))] if problems is None else [*problems]
    known = contestants()
    _ours(chosen[0], chosen[0].starts["start1"])  # imports are not timed
    found = {
        (name, problem.name, start): outcome(problem, run, problem.starts[start])
        for name, run in known.items()
        for problem in chosen
        for start in STARTS
    }
    lines = ["### curves", "", "| contestant | 8 digits | 10 digits | deviations to 8 digits | errors | median time |"]
    lines += ["|---|---:|---:|---:|---:|---:|", *(_summary(name, found) for name in known), "", ""]
    lines[-1] = "Digits of the worst parameter from the first / the second start:"
    lines += ["", f"| set | {' | '.join(known)} |", f"|---|{'---|' * len(known)}"]
    for problem in chosen:
        cells = (" / ".join(_cell(found[name, problem.name, start]) for start in STARTS) for name in known)
        lines.append(f"| {problem.name} | {' | '.join(cells)} |")
    lines += ["", without_start(chosen)]
    if find_spec("lmfit") is None:
        lines += ["", "Not installed: lmfit. `pip install descend[bench]`"]
    facts = [
        {"contestant": name, "set": which, "start": start, **vars(one)} for (name, which, start), one in found.items()
    ]
    return "\n".join(lines), facts


def contestants() -> dict[str, Callable[[Problem, Floats], tuple[Floats, Floats]]]:
    """Return what is compared: each gives the parameters and their standard deviations."""
    peers = {"curve_fit as it comes": _curve_fit, "curve_fit at its best": _curve_fit_tuned}
    if find_spec("lmfit") is not None:
        peers |= {"lmfit as it comes": _lmfit, "lmfit tuned": _lmfit_tuned}
    return {"descend": _ours, **peers}


def outcome(problem: Problem, run: Callable[[Problem, Floats], tuple[Floats, Floats]], start: Floats) -> Outcome:
    """Return the digits and the seconds of one run."""
    started = perf_counter()
    try:
        with catch_warnings(action="ignore"), np.errstate(all="ignore"):
            parameters, deviations = run(problem, start.copy())
    except (RuntimeError, ValueError, TypeError, np.linalg.LinAlgError):
        return Outcome(0.0, 0.0, perf_counter() - started, failed=True)
    seconds = perf_counter() - started
    exact = problem.name in EXACT
    return Outcome(
        digits(parameters, problem.certified), CERTIFIED if exact else digits(deviations, problem.deviations), seconds
    )


def without_start(problems: list[Problem]) -> str:
    """Return the line about descend without any start: residual sums of squares, as terms may have changed places."""
    reached, seconds = 0, []
    for problem in problems:
        started = perf_counter()
        model = descend.fit(problem.equation, problem.columns, test="none")
        seconds.append(perf_counter() - started)
        w = np.array([model.coefficients[name] for name in problem.objective.curve.parameters])
        least = problem.squares * (1 + CLOSE) + (ROUNDING if problem.name in EXACT else 0.0)
        reached += problem.objective.value(w) <= least
    return (
        f"descend without a start: the certified residual sum of squares in {reached} of {len(problems)} sets, "
        f"median {median(seconds):.2f} s, most {max(seconds):.2f} s."
    )


def digits(found: Floats, certified: Floats) -> float:
    """Return the least number of right digits, 0 to 11."""
    with np.errstate(all="ignore"):
        error = np.abs(np.asarray(found, dtype=np.float64) - certified) / np.abs(certified)
        counts = np.where(error == 0, CERTIFIED, -np.log10(error))
    return float(np.clip(np.nan_to_num(counts, nan=0.0), 0.0, CERTIFIED).min())


def _summary(name: str, found: dict[tuple[str, str, str], Outcome]) -> str:
    own = [one for (contestant, _, _), one in found.items() if contestant == name]
    reached = [sum(one.parameters >= least for one in own) for least in (8, 10)]
    deviations = sum(one.deviations >= 8 for one in own)
    counts = " | ".join(f"{count} of {len(own)}" for count in (*reached, deviations))
    failed, seconds = sum(one.failed for one in own), median(one.seconds for one in own)
    return f"| {name} | {counts} | {failed} | {1000 * seconds:.0f} ms |"


def _cell(one: Outcome) -> str:
    return "error" if one.failed else f"{one.parameters:.1f}"


def _ours(problem: Problem, start: Floats) -> tuple[Floats, Floats]:
    names = problem.objective.curve.parameters
    model = descend.fit(
        problem.equation, problem.columns, init=dict(zip(names, start.tolist(), strict=True)), test="none"
    )
    return np.array([model.coefficients[name] for name in names]), model.inference.errors[:, 0]


def _curve_fit(problem: Problem, start: Floats, **settings: Any) -> tuple[Floats, Floats]:
    from scipy.optimize import curve_fit

    parameters, covariance = curve_fit(problem.model, problem.x, problem.y, start, **settings)
    return parameters, np.sqrt(np.diag(covariance))


def _curve_fit_tuned(problem: Problem, start: Floats) -> tuple[Floats, Floats]:
    return _curve_fit(
        problem, start, method="trf", x_scale="jac", jac=lambda _, *w: problem.slopes(np.array(w)),
        xtol=TIGHT, ftol=TIGHT, gtol=TIGHT, max_nfev=EVALUATIONS,
    )  # fmt: skip


def _lmfit(problem: Problem, start: Floats, **settings: Any) -> tuple[Floats, Floats]:
    from lmfit import Model

    names = problem.objective.curve.parameters
    model = Model(problem.model, independent_vars=["X"], param_names=list(names))
    made = model.make_params(**dict(zip(names, start.tolist(), strict=True)))
    return _named(model.fit(problem.y, made, X=problem.x, **settings).params, names)


def _lmfit_tuned(problem: Problem, start: Floats) -> tuple[Floats, Floats]:
    from lmfit import Parameters, minimize

    names = problem.objective.curve.parameters
    made = Parameters()
    for name, value in zip(names, start.tolist(), strict=True):
        made.add(name, value=value)

    def values(params: Any) -> Floats:
        return np.array([params[name].value for name in names])

    result = minimize(
        lambda params: problem.model(problem.x, *values(params)) - problem.y, made, method="leastsq",
        Dfun=lambda params: problem.slopes(values(params)), xtol=TIGHT, ftol=TIGHT, gtol=TIGHT, max_nfev=EVALUATIONS,
    )  # fmt: skip
    return _named(result.params, names)


def _named(params: Any, names: tuple[str, ...]) -> tuple[Floats, Floats]:
    found = [params[name] for name in names]
    deviations = [np.nan if one.stderr is None else one.stderr for one in found]
    return np.array([one.value for one in found]), np.array(deviations)
