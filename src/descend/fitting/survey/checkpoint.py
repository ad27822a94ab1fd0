"""The survey of a scan, kept as it goes, so that it can be taken up again where it was stopped."""

from __future__ import annotations

import io
from functools import partial
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend.base import container
from descend.base.atomic_files import json_ready
from descend.base.errors import InterruptedFitError
from descend.fitting.survey.survey import NumberedRows, Survey, survey_part
from descend.solvers.checkpoint import require_same_run

if TYPE_CHECKING:
    from pathlib import Path

    from descend.base.typing import Arrays
    from descend.fitting.survey.survey import Plan
    from descend.tables.executors import Reading
    from descend.tables.scan import Scan

ARRAYS = ("low", "high", "layers")
EVERY = 30.0  # seconds between two writings: the rows that are kept may be many


class SurveyFile:
    """A file that holds the survey of the run which ``mark`` describes, as far as it has come."""

    def __init__(self, path: Path, mark: dict[str, Any], *, resume: bool) -> None:
        self.path, self.mark, self.resume = path, json_ready(mark), resume
        self._written = monotonic()

    def load(self) -> tuple[int, Survey] | None:
        """Return how many parts were surveyed and what they said; None where there is nothing to take up.

        Raises ModelError for a file that is damaged or none of ours, OptionError for that of another run.
        """
        if not self.resume or not self.path.exists():
            return None
        header, arrays = container.read_container(self.path)
        require_same_run(self.path, self.mark, header.get("survey"))
        return int(header["parts"]), _restored(header["facts"], arrays)

    def save(self, parts: int, survey: Survey) -> None:
        """Keep what the first ``parts`` parts said."""
        facts, arrays = _kept(survey)
        container.write_container(self.path, {"survey": self.mark, "parts": parts, "facts": facts}, arrays)
        self._written = monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to write it."""
        return monotonic() - self._written >= EVERY


def survey_scan(plan: Plan, scan: Scan, reading: Reading, file: SurveyFile | None = None) -> Survey:
    """Survey all parts of a scan; with a ``file`` an interrupt, or an error, leaves there what was found so far.

    Raises InterruptedFitError for an interrupt after which the reading can go on.
    """
    found = file.load() if file is not None else None
    done, total = found if found is not None else (0, None)
    parts = scan.parts(list(plan.wanted))
    before = list(islice(parts, done))
    try:
        for more in reading.each("surveying", partial(survey_part, plan), parts, before):
            total, done = more if total is None else total + more, done + 1
            if file is not None and file.due:
                file.save(done, total)
    except KeyboardInterrupt as error:
        if file is None or total is None:
            raise
        raise InterruptedFitError("fit.interrupted-reading", rows=total.rows, path=str(file.path)) from error
    finally:
        if file is not None and total is not None and done > len(before):
            file.save(done, total)
    assert total is not None
    return total


def _kept(survey: Survey) -> tuple[dict[str, Any], Arrays]:
    arrays = {"products": survey.products[0], "products.low": survey.products[1]}
    arrays |= {name: getattr(survey, name) for name in ARRAYS}
    for name in ("tested", "shown"):
        rows: list[NumberedRows] = getattr(survey, name)
        if rows:
            packed = io.BytesIO()
            pl.concat([some.frame for some in rows], how="vertical_relaxed").write_ipc(packed)
            arrays[f"{name}.rows"] = np.frombuffer(packed.getvalue(), dtype=np.uint8)
            arrays[f"{name}.numbers"] = np.concatenate([some.numbers for some in rows])
    facts = {
        name: getattr(survey, name) for name in ("names", "rows", "fitted", "totals", "levels", "filled", "dropped")
    }
    return facts, arrays


def _restored(facts: dict[str, Any], arrays: Arrays) -> Survey:
    rows: dict[str, list[NumberedRows]] = {"tested": [], "shown": []}
    for name, kept in rows.items():
        if f"{name}.rows" in arrays:
            frame = pl.read_ipc(io.BytesIO(arrays[f"{name}.rows"].tobytes()))
            kept.append(NumberedRows(arrays[f"{name}.numbers"], frame))
    known: dict[str, Any] = {**facts, **rows, "names": tuple(facts["names"])}
    known |= {name: arrays[name] for name in ARRAYS}
    return Survey(products=(arrays["products"], arrays["products.low"]), **known)
