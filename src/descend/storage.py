"""Model files: tensors in safetensors, everything else as JSON in its header, a checksum over both; never pickle."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend._version import __version__
from descend.delimited import Note
from descend.design import Design
from descend.errors import DescendError, ModelError
from descend.files import plain, written_whole
from descend.formula import parse
from descend.history import History
from descend.losses import NAMES
from descend.model import Model, Sample
from descend.target import Target, target_uses
from descend.verification import Verification

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[Any]]

FORMAT = 1
LARGEST_HEADER = 50_000_000
HISTORY_TENSORS = ("epoch", "loss", "gradient_norm", "validation_loss", "snapshot_epoch", "snapshots")
HISTORY_FACTS = (
    "stop",
    "optimizer",
    "lr",
    "elapsed",
    "final_loss",
    "final_gradient_norm",
    "gap",
    "batch_size",
)


def save(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write a model; raises OptionError where the file cannot be written."""
    from safetensors.numpy import save as serialized

    path = Path(path)
    header, tensors = _taken_apart(model)
    header = plain(header)
    sealed = {"sha256": checksum(header, tensors), "model": header}
    metadata = {"descend": json.dumps(sealed, ensure_ascii=False, allow_nan=False)}
    with written_whole(path) as temporary:
        temporary.write_bytes(serialized(tensors, metadata=metadata))
    return path


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model; raises ModelError for a file that is missing, foreign, truncated, changed or of a later format."""
    from safetensors import SafetensorError, safe_open

    name = Path(path).name
    if not Path(path).is_file():
        raise ModelError("model.not-found", file=str(path))
    try:
        with safe_open(str(path), framework="numpy") as handle:
            metadata = handle.metadata() or {}
            tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise ModelError("model.unreadable", file=name, reason=str(error).split("\n")[0][:200]) from error
    if "descend" not in metadata:
        raise ModelError("model.foreign", file=name)
    try:
        sealed = json.loads(metadata["descend"])
        header = sealed["model"]
        if sealed["sha256"] != checksum(header, tensors):
            raise ModelError("model.changed", file=name)
        if header["format"] != FORMAT:
            raise ModelError("model.format", file=name, found=header["format"], known=FORMAT)
        return _put_together(header, tensors)
    except ModelError:
        raise
    except (
        DescendError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        StopIteration,
        RecursionError,
    ) as error:
        raise ModelError("model.inconsistent", file=name, reason=f"{type(error).__name__}: {error}"[:200]) from error


def _taken_apart(model: Model) -> tuple[dict[str, Any], Tensors]:
    history = model.history
    header = {
        "format": FORMAT,
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
        "means": model.design.means,
        "scales": model.design.scales,
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
    return header, {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


def _put_together(header: dict[str, Any], tensors: Tensors) -> Model:
    table = header["table"]
    hypothesis = parse(header["formula"]).resolve(table["columns"])
    design = Design.restore(hypothesis, header["design"], tensors["means"], tensors["scales"])
    target = Target.restore(hypothesis, header["target"])
    weights, width = tensors["weights"], len(design.names)
    outputs = target.columns if target.family == "linear" else target.levels
    shapes = {
        "weights": (width, len(target.outputs)),
        "means": (width,),
        "scales": (width,),
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


def checksum(header: dict[str, Any], tensors: Tensors) -> str:
    """Return the SHA-256 of a model's header, as JSON with its keys sorted, and of its tensors."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def _with_nan(value: Any) -> Any:
    """Return a verification's values with NaN where null stands for a score that could not be had."""
    if isinstance(value, dict):
        return {key: _with_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_nan(inner) for inner in value]
    return math.nan if value is None else value
