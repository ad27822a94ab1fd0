"""A model taken apart into a header and tensors for its file, and put together again."""

from __future__ import annotations

import math
from dataclasses import asdict
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import polars as pl

from descend.analysis.certificates import CERTAINTIES, Certificate
from descend.analysis.diagnosis import FINDINGS, SEVERITIES, Change, Finding
from descend.analysis.inference import TENSORS as INFERENCE_TENSORS
from descend.analysis.inference import Inference
from descend.analysis.verification import Verification
from descend.base import container, stored_fields
from descend.base.errors import ModelError, OptionError
from descend.base.messages import Note, has
from descend.base.version import __version__
from descend.design.matrix import Design
from descend.formula.equation import of_family
from descend.formula.parser import parse
from descend.model.fitted import FittedModel
from descend.model.hypothesis import HYPOTHESES, Stored
from descend.model.record import Assessment, FittedRows, Provenance
from descend.model.sample import Sample
from descend.objectives.families import FAMILIES
from descend.objectives.losses import make_loss
from descend.objectives.quadratic import GramObjective
from descend.objectives.target import Target, target_uses
from descend.solvers import history as record_of
from descend.solvers.closed_form import ClosedFormRun
from descend.solvers.history import History
from descend.solvers.make import in_range
from descend.solvers.optimizers import SGD
from descend.solvers.recipe import Recipe

if TYPE_CHECKING:
    import os

    from descend.base.container import Tensors
    from descend.formula.ast import Hypothesis
    from descend.model.hypothesis import FittedHypothesis

M = TypeVar("M", bound=FittedModel)
MOMENTS = ("means", "scales", "sizes", "spreads")
FINDING_FACTS = ("code", "severity", "values")
CERTIFICATE = tuple(field.name for field in dataclass_fields(Certificate))
QUADRATIC_TENSORS = ("curvatures", "directions", "minimum", "flat")
REST = "rest"
DESCENTS_UP_TO = 500


def save_model(model: FittedModel, path: str | os.PathLike[str]) -> Path:
    """Write a model to one file, whole or not at all. Returns its path."""
    return container.write_container(path, *_taken_apart(model))


def load_model(path: str | os.PathLike[str], kind: type[M], module: Any = None) -> M:
    """Read a model of a ``kind`` from its file; raises ModelError for a file that is not one, or not whole.

    module: of a network that was no named architecture, its class or one of its modules.
    """
    header, tensors = container.read_container(path)
    if "checkpoint" in header:
        raise ModelError("model.checkpoint", file=Path(path).name)
    try:
        return _put_together(header, tensors, kind, module, Path(path).name)
    except ModelError:
        raise
    except OptionError as error:
        if error.code == "option.needs-extra":
            raise
        raise ModelError("model.inconsistent", file=Path(path).name, reason=error.code) from error
    except Exception as error:  # whatever a library says to what nobody but a forger writes
        reason = f"{type(error).__name__}: {error}"[:200]
        raise ModelError("model.inconsistent", file=Path(path).name, reason=reason) from error


def _taken_apart(model: FittedModel) -> tuple[dict[str, Any], Tensors]:
    history = model.history
    described, tensors = model.hypothesis.describe()
    header = {
        "version": __version__,
        "formula": model.formula,
        "equation": _equation(model.design.hypothesis),
        "design": model.design.describe(),
        "target": model.target.describe(),
        "loss": model.loss,
        "delta": model.delta,
        "table": {"name": model.table_name, "rows": model.table_rows, "columns": model.table_columns},
        "fitted_rows": model.fitted_rows,
        "means": model.means,
        "ranges": {name: list(ends) for name, ends in model.ranges.items()},
        "settings": model.settings,
        "notes": [asdict(note) for note in model.notes],
        "history": {fact: getattr(history, fact) for fact in record_of.FACTS},
        "verification": None if model.verification is None else model.verification.as_dict(),
        "sampled": model.sample is not None,
        "findings": [{fact: getattr(finding, fact) for fact in FINDING_FACTS} for finding in model.findings],
        "fixes": [[fix.as_dict() for fix in finding.fixes] for finding in model.findings],
        "certificate": None if model.certificate is None else model.certificate.as_dict(),
        "inference": _note_or_freedom(model.inference),
        "descent": None,
        **described,
    }
    tensors |= {moment: getattr(model.design, moment) for moment in MOMENTS}
    tensors["base"] = model.base
    tensors |= {f"history.{name}": getattr(history, name) for name in record_of.TENSORS}
    if model.errors is not None:
        tensors["errors"] = model.errors
    if isinstance(model.inference, Inference):
        found = {name: getattr(model.inference, name) for name in (*INFERENCE_TENSORS, REST)}
        tensors |= {f"inference.{name}": tensor for name, tensor in found.items() if tensor is not None}
    if model.descent is not None and model.descent.objective.directions.size <= DESCENTS_UP_TO**2:
        quadratic, optimizer = model.descent.objective, model.descent.optimizer
        header["descent"] = {
            "least": quadratic.least,
            "elements": quadratic.elements,
            "beyond": quadratic.beyond,
            "lr": optimizer.lr,
            "momentum": optimizer.momentum,
            "nesterov": optimizer.nesterov,
        }
        tensors |= {f"descent.{name}": getattr(quadratic, name) for name in QUADRATIC_TENSORS}
        tensors["descent.start"] = model.descent.start
    if model.sample is not None:
        tensors["sample.tested"] = model.sample.tested
        levels = _levels(model.design, model.target)
        for name in model.sample.frame.columns:
            series = model.sample.frame[name]
            if name in levels:
                series = series.replace_strict(levels[name], range(len(levels[name])), return_dtype=pl.Int32)
            tensors[f"sample.{name}"] = series.to_numpy()
    return header, tensors


def _put_together(header: dict[str, Any], tensors: Tensors, kind: type[M], module: Any, file: str) -> M:
    table = stored_fields.facts(header["table"], ("name", "rows", "columns"))
    table_columns = stored_fields.texts(table["columns"])
    hypothesis = _hypothesis(header, table_columns)
    design = Design.restore(hypothesis, header["design"], [tensors[moment] for moment in MOMENTS])
    target = Target.restore(hypothesis, header["target"])
    width, family, outputs = len(design.names), target.family, len(target.predictions)
    for moment in MOMENTS:
        stored_fields.array(tensors[moment], (width,))
    base = stored_fields.array(tensors["base"], (1, outputs))
    if not ((design.scales > 0).all() and min(design.sizes.min(), design.spreads.min()) >= 0):
        raise ValueError("scales")
    if family.classes and not ((base >= 0) & (base <= 1)).all():
        raise ValueError("base")
    loss = make_loss(stored_fields.text(header["loss"]), family, delta=stored_fields.real(header["delta"]))
    record = {name: tensors[f"history.{name}"] for name in record_of.TENSORS}
    numbers = {name for name, use in design.uses.items() if use == "number"}
    fitted = _kind_of(header).restore(Stored(header, tensors, file, module), design, target)
    shape = fitted.weights.shape
    return kind(
        hypothesis=fitted,
        target=target,
        history=History.restore(header["history"], record, fitted.weights.ravel()),
        provenance=Provenance(
            table_name=stored_fields.text(table["name"]),
            table_rows=stored_fields.whole_number(table["rows"]),
            table_columns=table_columns,
            loss=loss.name,
            delta=stored_fields.real(header["delta"]),
            settings=_settings(header["settings"]),
            notes=[_note(note, "note.", "family.") for note in stored_fields.entries(header["notes"])],
        ),
        rows=FittedRows(
            count=stored_fields.whole_number(header["fitted_rows"]),
            base=base,
            means={n: stored_fields.real_or_nan(mean) for n, mean in stored_fields.facts(header["means"]).items()},
            ranges={name: _ends(ends) for name, ends in stored_fields.some(header.get("ranges", {}), numbers).items()},
            errors=stored_fields.array(tensors["errors"], (None, outputs)) if "errors" in tensors else None,
            sample=_sample(design, target, tensors) if stored_fields.flag(header["sampled"]) else None,
        ),
        assessment=Assessment(
            None if header["verification"] is None else Verification.restore(header["verification"], target),
            _certificate(header["certificate"]),
            _inference(header["inference"], tensors, fitted, target),
            _findings(header["findings"], header.get("fixes")),
        ),
        descent=_descent(header["descent"], tensors, shape) if fitted.linear else None,
    )


def _equation(hypothesis: Hypothesis) -> dict[str, Any] | None:
    """Return what an equation needs besides its text to be understood as it was; None for a formula."""
    if not hypothesis.written:
        return None
    return {"parameters": hypothesis.parameters, "curve": hypothesis.curve is not None}


def _hypothesis(header: dict[str, Any], columns: list[str]) -> Hypothesis:
    """Return what the text of a file says of the columns; raises FormulaError, ValueError."""
    parsed = parse(stored_fields.text(header["formula"]))
    if header.get("equation") is None:
        return parsed.resolve(columns)
    found = stored_fields.facts(header["equation"], ("parameters", "curve"))
    names = stored_fields.distinct(found["parameters"])
    family = stored_fields.facts(header["target"]).get("family")
    outer = FAMILIES[stored_fields.one_of(family, [*FAMILIES])].link.outer
    held = names if stored_fields.flag(found["curve"]) else ()
    return of_family(parsed.resolve(columns, declared=names, held=held), outer, held)


def _kind_of(header: dict[str, Any]) -> type[FittedHypothesis]:
    """Return the kind of hypothesis that a file holds: files of networks and of linear ones do not name theirs."""
    unnamed = "linear" if header["network"] is None else "network"
    return HYPOTHESES[stored_fields.one_of(header.get("hypothesis", unnamed), tuple(HYPOTHESES))]


def _note_or_freedom(inference: Inference | Note) -> dict[str, Any]:
    return {"note": asdict(inference)} if isinstance(inference, Note) else {"freedom": inference.freedom}


def _inference(found: dict[str, Any], tensors: Tensors, fitted: FittedHypothesis, target: Target) -> Inference | Note:
    if "note" in stored_fields.facts(found):
        return _note(found["note"], "inference.")
    family, columns, freedom = target.family, len(fitted.weights), found["freedom"]
    if (freedom is None) == family.dispersion:
        raise ValueError(f"freedom {freedom}")
    each = family.contrasts(np.empty(fitted.weights.shape)).shape[1]
    wide = columns if family.dispersion else columns * each
    shapes = (wide, wide), (each if fitted.linear else len(target.expressions),), (columns, each)
    root, variances, errors = (
        stored_fields.array(tensors[f"inference.{name}"], shape, finite=name != "errors")
        for name, shape in zip(INFERENCE_TENSORS, shapes, strict=True)
    )
    # NaN is the error of a column of which the rows say nothing, and of a parameter that they do not determine
    told = root.reshape(columns, -1).any(axis=1) & (fitted.linear | ~np.isnan(errors).any(axis=1))
    if (variances < 0).any() or (errors < 0).any() or not np.isfinite(errors[told]).all():
        raise ValueError("negative variance")
    rest = tensors.get(f"inference.{REST}")
    rest = None if rest is None else stored_fields.array(rest, root.shape)
    freedom = stored_fields.whole_number(freedom, 1) if family.dispersion else None
    return Inference(root, variances, errors, freedom, rest)


def _note(found: Any, *kinds: str) -> Note:
    facts = stored_fields.facts(found, ("code", "values"))
    note = Note(stored_fields.text(facts["code"]), stored_fields.facts(facts["values"]))
    if not note.code.startswith(kinds) or not has(note.code):
        raise ValueError(note.code[:100])
    note.tell()  # so that its values fill the sentence
    return note


def _findings(found: Any, fixes: Any) -> list[Finding]:
    """Return the findings with the changes that mend them, of which files written before the changes hold none."""
    entries = stored_fields.entries(found)
    each = [[] for _ in entries] if fixes is None else [stored_fields.entries(one) for one in fixes]
    return [_finding(entry, changes) for entry, changes in zip(entries, each, strict=True)]


def _finding(found: Any, fixes: list[Any]) -> Finding:
    facts = stored_fields.facts(found, FINDING_FACTS)
    values = {key: math.inf if value is None else value for key, value in stored_fields.facts(facts["values"]).items()}
    code = stored_fields.one_of(facts["code"], [kind.code for kind in FINDINGS.values()])
    changes = tuple(Change.restore(fix) for fix in fixes)
    finding = Finding(code, stored_fields.one_of(facts["severity"], SEVERITIES), values, changes)
    finding.tell(), finding.remedy()
    return finding


def _settings(found: Any) -> dict[str, Any]:
    """Return the settings of the fit: each one of ``Recipe``, of the kind of its default, texts for what a file does
    not hold.
    """
    known = {field.name: field.default for field in dataclass_fields(Recipe)}
    settings = stored_fields.some(found, known)
    for name, value in settings.items():
        match known[name]:
            case bool():
                stored_fields.flag(value)
            case int():
                stored_fields.whole_number(value)
            case float():
                stored_fields.real(value)
            case _ if not isinstance(value, str):
                stored_fields.real(value)
    return settings


def _certificate(found: Any) -> Certificate | None:
    if found is None:
        return None
    facts = stored_fields.some(found, CERTIFICATE)
    kind, gap = stored_fields.one_of(facts["kind"], CERTAINTIES), facts["gap"]
    if (gap is None) != (kind in ("none", "minimum")):
        raise ValueError(f"certificate {kind}")
    searched = [facts.get(name) for name in ("starts", "reached")]
    return Certificate(
        kind,
        None if gap is None else stored_fields.real(gap, 0),
        stored_fields.real_or_nan(facts["slope"]),
        *(None if count is None else stored_fields.whole_number(count) for count in searched),
    )


def _descent(found: Any, tensors: Tensors, shape: tuple[int, int]) -> ClosedFormRun | None:
    if found is None:
        return None
    facts, columns = stored_fields.facts(found, ("least", "elements", "lr", "momentum", "nesterov", "beyond")), shape[0]
    curvatures = stored_fields.array(tensors["descent.curvatures"], (None,))
    if curvatures.size > columns or (curvatures < 0).any():
        raise ValueError("curvatures")
    quadratic = GramObjective(
        curvatures,
        stored_fields.array(tensors["descent.directions"], (columns, curvatures.size)),
        stored_fields.array(tensors["descent.minimum"], shape),
        stored_fields.real(facts["least"]),
        stored_fields.array(tensors["descent.flat"], (columns, None)),
        stored_fields.whole_number(facts["elements"], 1),
        stored_fields.real(facts["beyond"], 0),
    )
    rate, momentum = stored_fields.real(facts["lr"]), stored_fields.real(facts["momentum"])
    optimizer = in_range(SGD(rate, momentum, stored_fields.flag(facts["nesterov"])))
    return ClosedFormRun(quadratic, stored_fields.array(tensors["descent.start"], (columns * shape[1],)), optimizer)


def _ends(found: Any) -> tuple[float, float]:
    low, high = map(stored_fields.real, stored_fields.entries(found))
    return low, high


def _sample(design: Design, target: Target, tensors: Tensors) -> Sample:
    levels = _levels(design, target)
    images = design.images
    tested = tensors["sample.tested"].astype(bool)
    rows = stored_fields.array(tested, (None,), np.bool_).size
    columns: dict[str, pl.Series] = {}
    for name in {**design.uses, **target_uses(design.hypothesis, target.family)}:
        values = tensors[f"sample.{name}"]
        if name in levels:
            known, codes = np.array(levels[name], dtype=object), stored_fields.array(values, (rows,), np.int32)
            if (codes < 0).any():
                raise ValueError(name)
            columns[name] = pl.Series(name, known[codes].tolist(), dtype=pl.String)
        elif name in images:
            kind = "uint8" if images[name].pictures else stored_fields.one_of(str(values.dtype), ("float32", "float64"))
            columns[name] = pl.Series(name, stored_fields.array(values, (rows, *images[name].shape), kind))
        else:
            columns[name] = pl.Series(name, stored_fields.array(values, (rows,)))
    return Sample(pl.DataFrame(columns), tested)


def _levels(design: Design, target: Target) -> dict[str, tuple[str, ...]]:
    return {**design.levels, **({target.columns[0]: target.levels} if target.levels else {})}
