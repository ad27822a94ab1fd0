"""The model: a fitted hypothesis that tells its equation, predicts, is tested, plotted and kept.

``plot`` and the notebook's view call the report, which stands above: they are here for the person's convenience.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend import storage
from descend._version import __version__
from descend.columns import Columns, Use, gather, require
from descend.design import INTERCEPT, Design
from descend.equation import equation_lines
from descend.errors import DescendError, ModelError
from descend.formula import parse
from descend.history import History
from descend.losses import NAMES
from descend.messages import Note
from descend.tables import Table, read
from descend.target import Family, Target, target_uses
from descend.verification import Verification, judge

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from descend.storage import Tensors

    Floats = NDArray[np.float64]

SAMPLE_ROWS = 2000
MOMENTS = ("means", "scales", "sizes", "spreads")
HISTORY_TENSORS = ("epoch", "loss", "gradient_norm", "validation_loss", "snapshot_epoch", "snapshots")
HISTORY_FACTS = ("stop", "optimizer", "lr", "elapsed", "final_loss", "final_gradient_norm", "gap", "batch_size")


@dataclass(frozen=True)
class Sample:
    """Rows kept for pictures: the columns that the hypothesis uses, and which of the rows were held out."""

    frame: pl.DataFrame
    tested: NDArray[np.bool_]


@dataclass(frozen=True, repr=False)
class Model:
    """A fitted hypothesis.

    ``weights`` (columns x outputs) are of the standardised columns, ``coefficients`` and ``equation`` in the units of
    the table. ``history`` is the record of the fit and ``verification`` the test on unseen rows (None where there
    was none). ``base`` is what no hypothesis would predict; ``means`` fill missing cells where that is asked for.
    """

    design: Design
    target: Target
    loss: str
    delta: float
    weights: Floats
    history: History
    verification: Verification | None
    table_name: str
    table_rows: int
    table_columns: list[str]
    fitted_rows: int
    base: Floats
    means: dict[str, float]
    settings: dict[str, Any]
    notes: list[Note]
    sample: Sample | None = field(default=None, repr=False)

    @property
    def formula(self) -> str:
        """The hypothesis as it was written."""
        return self.design.hypothesis.text

    @property
    def family(self) -> Family:
        """linear, logistic or softmax."""
        return self.target.family

    @property
    def equation(self) -> str:
        """The fitted equation in the units of the table, a line an output."""
        return "\n".join(equation_lines(self.design, self.target, self.weights))

    @property
    def coefficients(self) -> dict[str, Any]:
        """Coefficients in raw units by column (``(intercept)`` too); by output first where there are several."""
        raw = self.design.to_raw(self.weights)
        made = {
            output: dict(zip(self.design.names, map(float, raw[:, index]), strict=True))
            for index, output in enumerate(self.target.outputs)
        }
        return made if len(made) > 1 else next(iter(made.values()))

    @property
    def intercept(self) -> float | dict[str, float]:
        """The constant of the equation, 0 where the hypothesis has none; by output where there are several."""
        found = self.coefficients
        if len(self.target.outputs) > 1:
            return {output: found[output].get(INTERCEPT, 0.0) for output in self.target.outputs}
        return float(found.get(INTERCEPT, 0.0))

    def predict(self, source: Any, *, missing: str = "error", probabilities: bool = False) -> NDArray[Any]:
        """Predict rows.

        source: whatever ``descend.read`` takes, with the columns that the hypothesis uses.
        missing: "error", "drop" (fewer predictions than rows) or "mean" (of the rows that were fitted).

        Returns numbers in the target's unit, (rows,) or (rows, targets); or the likeliest class of each row, and with
        ``probabilities`` rows x classes. Raises DescendError for a missing column, one of the wrong kind, an unseen
        level or a cell that cannot be read.
        """
        made = self._predicted(self.gather(source, missing=missing))
        if self.family != "linear":
            return made if probabilities else self.target.labels(made)
        return made[:, 0] if made.shape[1] == 1 else made

    def predictions(self, source: Any, *, missing: str = "error") -> pl.DataFrame:
        """Return the rows of ``source`` with their predictions beside them, as a polars frame.

        Added are ``score_predicted`` for a target ``score``; for classes also ``P(class)`` for each.
        """
        data = self.gather(source, missing=missing)
        made = self._predicted(data)
        frame = data.table.frame[data.rows]
        if self.family == "linear":
            added = {f"{column}_predicted": made[:, i] for i, column in enumerate(self.target.columns)}
        else:
            added = {f"{self.target.columns[0]}_predicted": self.target.labels(made)}
            added |= {f"P({level})": made[:, i] for i, level in enumerate(self.target.levels)}
        return frame.with_columns(pl.Series(name, values) for name, values in added.items())

    def evaluate(self, source: Any, *, missing: str = "error") -> Verification:
        """Test the model on rows that hold the target too, beside the baseline of the rows it was fitted on."""
        data = self.gather(source, missing=missing, target=True)
        truth = self.target.truth(data)
        base = np.broadcast_to(self.base, (len(data), self.base.shape[1]))
        return judge(self.target, truth, self._predicted(data), base, method="given", fitted_rows=self.fitted_rows)

    def plot(self, path: str | os.PathLike[str] | None = None, *, lang: str = "en") -> Any:
        """Draw the fit; write it to ``path`` (.png, .svg, .pdf) where one is given. Returns the matplotlib figure."""
        from descend.report.plots import draw

        return draw(self, path, lang)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to one ``.safetensors`` file, whole or not at all. Returns its path."""
        return storage.write(path, *_taken_apart(self))

    def kept_rows(self) -> Columns:
        """Return the rows that the model keeps for pictures, ready for its design and its target."""
        frame = pl.DataFrame() if self.sample is None else self.sample.frame
        wanted = {**self.design.uses, **target_uses(self.design.hypothesis, self.family)}
        return gather(wanted, Table(frame, self.table_name))

    def gather(self, source: Any, *, missing: str = "error", target: bool = False) -> Columns:
        """Return the columns that the model needs from a table, checked against those it was fitted on."""
        table = read(source)
        wanted: dict[str, Use] = dict(self.design.uses)
        outputs = target_uses(self.design.hypothesis, self.family) if target else {}
        wanted |= outputs
        require(wanted, table, lambda name: get_close_matches(name, table.columns, n=1, cutoff=0.6))
        return gather(wanted, table, missing=missing, means=self.means, required=outputs)

    def _predicted(self, data: Columns) -> Floats:
        return self.target.predict(self.design.matrix(data) @ self.weights)

    def _repr_html_(self) -> str:
        from descend.report.html import render

        return render(self)

    def __str__(self) -> str:
        return self.equation

    def __repr__(self) -> str:
        return f"<descend.Model {self.formula!r}, {self.family}, {self.fitted_rows} rows>"


def keep_sample(data: Columns, train: NDArray[np.int64], tested: NDArray[np.int64], seed: int) -> Sample:
    """Return up to SAMPLE_ROWS rows of the columns, drawn at random where there are more."""
    rows = np.concatenate([train, tested])
    held = np.concatenate([np.zeros(train.size, dtype=bool), np.ones(tested.size, dtype=bool)])
    if rows.size > SAMPLE_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(rows.size, SAMPLE_ROWS, replace=False))
        rows, held = rows[chosen], held[chosen]
    taken = data.take(rows)
    return Sample(pl.DataFrame({**taken.numbers, **taken.labels}), held)


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model that ``Model.save`` wrote; raises ModelError for a file that is not one, or not whole."""
    header, tensors = storage.read(path)
    try:
        return _put_together(header, tensors)
    except (DescendError, KeyError, ValueError, TypeError, AttributeError, IndexError, StopIteration) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise ModelError("model.inconsistent", file=Path(path).name, reason=reason) from error


def _taken_apart(model: Model) -> tuple[dict[str, Any], Tensors]:
    history = model.history
    header = {
        "version": __version__,
        "formula": model.formula,
        "design": model.design.describe(),
        "target": model.target.describe(),
        "loss": model.loss,
        "delta": model.delta,
        "table": {"name": model.table_name, "rows": model.table_rows, "columns": model.table_columns},
        "fitted_rows": model.fitted_rows,
        "means": model.means,
        "settings": model.settings,
        "notes": [asdict(note) for note in model.notes],
        "history": {fact: getattr(history, fact) for fact in HISTORY_FACTS},
        "verification": None if model.verification is None else model.verification.as_dict(),
        "sampled": model.sample is not None,
    }
    tensors: Tensors = {
        "weights": model.weights,
        **{moment: getattr(model.design, moment) for moment in MOMENTS},
        "base": model.base,
    }
    tensors |= {f"history.{name}": getattr(history, name) for name in HISTORY_TENSORS}
    if model.sample is not None:
        tensors["sample.tested"] = model.sample.tested
        levels = _levels(model.design, model.target)
        for name in model.sample.frame.columns:
            series = model.sample.frame[name]
            if name in levels:
                series = series.replace_strict(levels[name], range(len(levels[name])), return_dtype=pl.Int32)
            tensors[f"sample.{name}"] = series.to_numpy()
    return header, tensors


def _put_together(header: dict[str, Any], tensors: Tensors) -> Model:
    table = header["table"]
    hypothesis = parse(header["formula"]).resolve(table["columns"])
    design = Design.restore(hypothesis, header["design"], [tensors[moment] for moment in MOMENTS])
    target = Target.restore(hypothesis, header["target"])
    weights, width = tensors["weights"], len(design.names)
    outputs = target.columns if target.family == "linear" else target.levels
    shapes = {
        "weights": (width, len(target.outputs)),
        **dict.fromkeys(MOMENTS, (width,)),
        "base": (1, len(outputs)),
    }
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype != np.float64 or not np.isfinite(tensor).all():
            raise ValueError(f"{name} {tensor.dtype}{tensor.shape}")
    if header["loss"] not in NAMES or not (design.scales > 0).all():
        raise ValueError("loss" if (design.scales > 0).all() else "scales")
    facts: dict[str, Any] = {fact: header["history"][fact] for fact in HISTORY_FACTS}
    for fact in ("lr", "final_loss", "final_gradient_norm"):
        facts[fact] = math.nan if facts[fact] is None else float(facts[fact])
    record: dict[str, Any] = {name: tensors[f"history.{name}"] for name in HISTORY_TENSORS}
    if not record["epoch"].size == record["loss"].size == record["gradient_norm"].size > 0:
        raise ValueError("history")
    verification = header["verification"]
    return Model(
        design=design,
        target=target,
        loss=header["loss"],
        delta=float(header["delta"]),
        weights=weights,
        history=History(**record, weights=weights.ravel(), **facts),
        verification=None if verification is None else Verification(**_with_nan(verification)),
        table_name=str(table["name"]),
        table_rows=int(table["rows"]),
        table_columns=list(table["columns"]),
        fitted_rows=int(header["fitted_rows"]),
        base=tensors["base"],
        means={name: float("nan") if mean is None else float(mean) for name, mean in header["means"].items()},
        settings=dict(header["settings"]),
        notes=[Note(str(note["code"]), dict(note["values"])) for note in header["notes"]],
        sample=_sample(design, target, tensors) if header["sampled"] else None,
    )


def _sample(design: Design, target: Target, tensors: Tensors) -> Sample:
    levels = _levels(design, target)
    columns: dict[str, pl.Series] = {}
    for name in {**design.uses, **target_uses(design.hypothesis, target.family)}:
        values = tensors[f"sample.{name}"]
        if name in levels:
            known = np.array(levels[name], dtype=object)
            columns[name] = pl.Series(name, known[values].tolist(), dtype=pl.String)
        else:
            columns[name] = pl.Series(name, values)
    return Sample(pl.DataFrame(columns), tensors["sample.tested"].astype(bool))


def _levels(design: Design, target: Target) -> dict[str, tuple[str, ...]]:
    return {**design.levels, **({target.columns[0]: target.levels} if target.levels else {})}


def _with_nan(value: Any) -> Any:
    """Return a verification's values with NaN where null stands for a score that could not be had."""
    if isinstance(value, dict):
        return {key: _with_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_nan(inner) for inner in value]
    return math.nan if value is None else value
