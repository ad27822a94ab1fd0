"""The model: a fitted hypothesis that tells its equation, predicts, is tested, plotted and kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.columns import Columns, Use, gather, require
from descend.design import INTERCEPT, Design
from descend.equation import equation_lines
from descend.target import Target, target_uses
from descend.verification import Verification, judge

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import polars as pl
    from numpy.typing import NDArray

    from descend.delimited import Note
    from descend.history import History
    from descend.tables import Table

    Floats = NDArray[np.float64]

SAMPLE_ROWS = 2000


@dataclass(frozen=True)
class Sample:
    """Rows kept for pictures: the columns that the hypothesis uses, and which of the rows were held out."""

    frame: pl.DataFrame
    tested: NDArray[np.bool_]


@dataclass(frozen=True)
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
    def family(self) -> str:
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
        import polars as pl

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
        from descend.storage import save

        return save(self, path)

    def gather(self, source: Any, *, missing: str = "error", target: bool = False) -> Columns:
        """Return the columns that the model needs from a table, checked against those it was fitted on."""
        from descend.tables import read

        table = read(source)
        wanted: dict[str, Use] = dict(self.design.uses)
        outputs = target_uses(self.design.hypothesis, self.target.family) if target else {}
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


def keep_sample(data: Columns, train: NDArray[np.int64], tested: NDArray[np.int64], seed: int) -> Sample:
    """Return up to SAMPLE_ROWS rows of the columns, drawn at random where there are more."""
    import polars as pl

    rows = np.concatenate([train, tested])
    held = np.concatenate([np.zeros(train.size, dtype=bool), np.ones(tested.size, dtype=bool)])
    if rows.size > SAMPLE_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(rows.size, SAMPLE_ROWS, replace=False))
        rows, held = rows[chosen], held[chosen]
    taken = data.take(rows)
    return Sample(pl.DataFrame({**taken.numbers, **taken.labels}), held)


def sample_columns(model: Model) -> Columns:
    """Return the kept rows as columns ready for the model's design and target."""
    from descend.tables import Table

    assert model.sample is not None
    table: Table = Table(model.sample.frame, model.table_name)
    wanted = {**model.design.uses, **target_uses(model.design.hypothesis, model.target.family)}
    return gather(wanted, table)


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model that ``Model.save`` wrote; raises ModelError for a file that is not one, or not whole."""
    from descend import storage

    return storage.load(path)
