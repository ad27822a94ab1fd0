"""A model taken apart into a header and tensors for its file, and put together again."""

from __future__ import annotations

import math
from dataclasses import asdict
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend import fields, storage
from descend import history as record_of
from descend._version import __version__
from descend.certificates import CERTAINTIES, Certificate
from descend.coding import ImageCode
from descend.design import Design
from descend.diagnosis import SEVERITIES, Finding
from descend.errors import ModelError, OptionError
from descend.formula import parse
from descend.history import History
from descend.inference import TENSORS as INFERENCE_TENSORS
from descend.inference import Inference
from descend.losses import make_loss
from descend.messages import Note, has
from descend.model import Model, Sample
from descend.networks.keeping import described, kept_tensors, restored
from descend.objectives.gram import GramObjective
from descend.optimizers import SGD, make_optimizer
from descend.recipe import Recipe
from descend.solvers.fast_forward import Descent
from descend.target import Target, target_uses
from descend.verification import Verification

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from descend.storage import Tensors

    Floats = NDArray[np.floating[Any]]

MOMENTS = ("means", "scales", "sizes", "spreads")
QUADRATIC_TENSORS = ("curvatures", "directions", "minimum", "flat")
REST = "rest"
DESCENTS_UP_TO = 500


def save(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write a model to one file, whole or not at all. Returns its path."""
    return storage.write(path, *_taken_apart(model))


def load(path: str | os.PathLike[str], *, module: Any = None) -> Model:
    """Read a model that ``Model.save`` wrote; raises ModelError for a file that is not one, or not whole.

    module: of a network that was no named architecture, its class or one of its modules: a file holds parameters, not
    programs.
    """
    header, tensors = storage.read(path)
    if "checkpoint" in header:
        raise ModelError("model.checkpoint", file=Path(path).name)
    try:
        return _put_together(header, tensors, module, Path(path).name)
    except ModelError:
        raise
    except OptionError as error:
        if error.code == "option.needs-extra":
            raise
        raise ModelError("model.inconsistent", file=Path(path).name, reason=error.code) from error
    except Exception as error:  # whatever a library says to what nobody but a forger writes
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
        "ranges": {name: list(ends) for name, ends in model.ranges.items()},
        "settings": model.settings,
        "notes": [asdict(note) for note in model.notes],
        "history": {fact: getattr(history, fact) for fact in record_of.FACTS},
        "verification": None if model.verification is None else model.verification.as_dict(),
        "sampled": model.sample is not None,
        "findings": [asdict(finding) for finding in model.findings],
        "certificate": None if model.certificate is None else asdict(model.certificate),
        "inference": _note_or_freedom(model.inference),
        "descent": None,
        "network": None if model.network is None else described(model.network),
    }
    tensors: Tensors = {
        "weights": model.weights if model.network is None else np.empty((0, 1)),
        **{moment: getattr(model.design, moment) for moment in MOMENTS},
        "base": model.base,
    }
    tensors |= {f"history.{name}": getattr(history, name) for name in record_of.TENSORS}
    if model.network is not None:
        tensors |= {f"network.{name}": tensor for name, tensor in kept_tensors(model.network).items()}
    if model.errors is not None:
        tensors["errors"] = model.errors
    if model.exact is not None:
        tensors["exact"] = model.exact
    if model.rest is not None:
        tensors["exact.rest"] = model.rest
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


def _put_together(header: dict[str, Any], tensors: Tensors, module: Any, file: str) -> Model:
    table = fields.facts(header["table"], ("name", "rows", "columns"))
    table_columns = fields.texts(table["columns"])
    hypothesis = parse(fields.text(header["formula"])).resolve(table_columns)
    design = Design.restore(hypothesis, header["design"], [tensors[moment] for moment in MOMENTS])
    target = Target.restore(hypothesis, header["target"])
    weights, width, linear = tensors["weights"], len(design.names), target.family == "linear"
    network = None
    if header["network"] is not None:
        kept = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
        network = restored(header["network"], kept, design, target, module, file)
        weights = network.state()[:, None]
    outputs = len(target.columns) if linear else len(target.levels)
    fields.array(tensors["weights"], (width if network is None else 0, len(target.outputs) if network is None else 1))
    for moment in MOMENTS:
        fields.array(tensors[moment], (width,))
    base = fields.array(tensors["base"], (1, outputs))
    if not ((design.scales > 0).all() and min(design.sizes.min(), design.spreads.min()) >= 0):
        raise ValueError("scales")
    if not linear and not ((base >= 0) & (base <= 1)).all():
        raise ValueError("base")
    loss = make_loss(fields.text(header["loss"]), target.family, delta=fields.real(header["delta"]))
    record = {name: tensors[f"history.{name}"] for name in record_of.TENSORS}
    numbers = {name for name, use in design.uses.items() if use == "number"}
    model = Model(
        design=design,
        target=target,
        loss=loss.name,
        delta=fields.real(header["delta"]),
        weights=weights,
        history=History.restore(header["history"], record, weights.ravel()),
        verification=None if header["verification"] is None else Verification.restore(header["verification"], target),
        table_name=fields.text(table["name"]),
        table_rows=fields.whole(table["rows"]),
        table_columns=table_columns,
        fitted_rows=fields.whole(header["fitted_rows"]),
        base=base,
        means={name: fields.real_or_nan(mean) for name, mean in fields.facts(header["means"]).items()},
        settings=_settings(header["settings"]),
        notes=[_note(note, "note.", "family.") for note in fields.entries(header["notes"])],
        sample=_sample(design, target, tensors) if fields.flag(header["sampled"]) else None,
        exact=fields.array(tensors["exact"], weights.shape) if "exact" in tensors else None,
        rest=fields.array(tensors["exact.rest"], tensors["exact"].shape) if "exact.rest" in tensors else None,
        certificate=_certificate(header["certificate"]),
        inference=_inference(header["inference"], tensors, weights.shape, linear=linear),
        findings=[_finding(found) for found in fields.entries(header["findings"])],
        descent=None if network is not None else _descent(header["descent"], tensors, weights.shape),
        ranges={name: _ends(ends) for name, ends in fields.some(header.get("ranges", {}), numbers).items()},
        errors=fields.array(tensors["errors"], (None, outputs)) if "errors" in tensors else None,
        network=network,
    )
    with np.errstate(over="ignore", invalid="ignore"):
        if network is None and not np.isfinite(model.raw).all():
            raise ValueError("weights beyond all numbers")
    return model


def _note_or_freedom(inference: Inference | Note) -> dict[str, Any]:
    return {"note": asdict(inference)} if isinstance(inference, Note) else {"freedom": inference.freedom}


def _inference(found: dict[str, Any], tensors: Tensors, shape: tuple[int, int], *, linear: bool) -> Inference | Note:
    if "note" in fields.facts(found):
        return _note(found["note"], "inference.")
    (columns, outputs), freedom = shape, found["freedom"]
    if (freedom is None) == linear:
        raise ValueError(f"freedom {freedom}")
    each = outputs if linear else max(outputs - 1, 1)
    wide = columns if linear else columns * each
    shapes = (wide, wide), (each,), (columns, each)
    root, variances, errors = (
        fields.array(tensors[f"inference.{name}"], shape, finite=name != "errors")
        for name, shape in zip(INFERENCE_TENSORS, shapes, strict=True)
    )
    told = root.reshape(columns, -1).any(axis=1)  # NaN is the error of a column of which the rows say nothing
    if (variances < 0).any() or (errors < 0).any() or not np.isfinite(errors[told]).all():
        raise ValueError("negative variance")
    rest = tensors.get(f"inference.{REST}")
    rest = None if rest is None else fields.array(rest, root.shape)
    return Inference(root, variances, errors, fields.whole(freedom, 1) if linear else None, rest)


def _note(found: Any, *kinds: str) -> Note:
    facts = fields.facts(found, ("code", "values"))
    note = Note(fields.text(facts["code"]), fields.facts(facts["values"]))
    if not note.code.startswith(kinds) or not has(note.code):
        raise ValueError(note.code[:100])
    note.tell()  # so that its values fill the sentence
    return note


def _finding(found: Any) -> Finding:
    facts = fields.facts(found, ("code", "severity", "values"))
    values = {key: math.inf if value is None else value for key, value in fields.facts(facts["values"]).items()}
    finding = Finding(fields.text(facts["code"]), fields.one_of(facts["severity"], SEVERITIES), values)
    if not finding.code.startswith("finding.") or not has(f"{finding.code}.remedy"):
        raise ValueError(finding.code[:100])
    finding.tell(), finding.remedy()
    return finding


def _settings(found: Any) -> dict[str, Any]:
    """Return the settings of the fit: each one of ``Recipe``, of the kind of its default, texts for what a file does
    not hold.
    """
    known = {field.name: field.default for field in dataclass_fields(Recipe)}
    settings = fields.some(found, known)
    for name, value in settings.items():
        match known[name]:
            case bool():
                fields.flag(value)
            case int():
                fields.whole(value)
            case float():
                fields.real(value)
            case _ if not isinstance(value, str):
                fields.real(value)
    return settings


def _certificate(found: Any) -> Certificate | None:
    if found is None:
        return None
    facts = fields.facts(found, ("kind", "gap", "slope"))
    kind, gap = fields.one_of(facts["kind"], CERTAINTIES), facts["gap"]
    if (gap is None) != (kind == "none"):
        raise ValueError(f"certificate {kind}")
    return Certificate(kind, None if gap is None else fields.real(gap, 0), fields.real_or_nan(facts["slope"]))


def _descent(found: Any, tensors: Tensors, shape: tuple[int, int]) -> Descent | None:
    if found is None:
        return None
    facts, columns = fields.facts(found, ("least", "elements", "lr", "momentum", "nesterov", "beyond")), shape[0]
    curvatures = fields.array(tensors["descent.curvatures"], (None,))
    if curvatures.size > columns or (curvatures < 0).any():
        raise ValueError("curvatures")
    quadratic = GramObjective(
        curvatures,
        fields.array(tensors["descent.directions"], (columns, curvatures.size)),
        fields.array(tensors["descent.minimum"], shape),
        fields.real(facts["least"]),
        fields.array(tensors["descent.flat"], (columns, None)),
        fields.whole(facts["elements"], 1),
        fields.real(facts["beyond"], 0),
    )
    rate, momentum = fields.real(facts["lr"]), fields.real(facts["momentum"])
    optimizer = make_optimizer("sgd", rate, momentum=momentum, nesterov=fields.flag(facts["nesterov"]))
    assert isinstance(optimizer, SGD)
    return Descent(quadratic, fields.array(tensors["descent.start"], (columns * shape[1],)), optimizer)


def _ends(found: Any) -> tuple[float, float]:
    low, high = map(fields.real, fields.entries(found))
    return low, high


def _sample(design: Design, target: Target, tensors: Tensors) -> Sample:
    levels = _levels(design, target)
    images = {code.name: code for block in design.blocks for code in block.codes if isinstance(code, ImageCode)}
    tested = tensors["sample.tested"].astype(bool)
    rows = fields.array(tested, (None,), np.bool_).size
    columns: dict[str, pl.Series] = {}
    for name in {**design.uses, **target_uses(design.hypothesis, target.family)}:
        values = tensors[f"sample.{name}"]
        if name in levels:
            known, codes = np.array(levels[name], dtype=object), fields.array(values, (rows,), np.int32)
            if (codes < 0).any():
                raise ValueError(name)
            columns[name] = pl.Series(name, known[codes].tolist(), dtype=pl.String)
        elif name in images:
            kind = "uint8" if images[name].pictures else fields.one_of(str(values.dtype), ("float32", "float64"))
            columns[name] = pl.Series(name, fields.array(values, (rows, *images[name].shape), kind))
        else:
            columns[name] = pl.Series(name, fields.array(values, (rows,)))
    return Sample(pl.DataFrame(columns), tested)


def _levels(design: Design, target: Target) -> dict[str, tuple[str, ...]]:
    return {**design.levels, **({target.columns[0]: target.levels} if target.levels else {})}
