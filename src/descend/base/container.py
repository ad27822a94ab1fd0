"""Model files: tensors in safetensors, everything else as JSON in the header, with a checksum of both; never pickle."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.arguments import require
from descend.base.atomic_files import json_ready, written_whole
from descend.base.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[Any]]

FORMAT = 4


def write_container(path: str | os.PathLike[str], header: dict[str, Any], tensors: Tensors) -> Path:
    """Write a header and tensors to one file with a checksum; raises OptionError where it cannot be written."""
    from safetensors.numpy import save

    require("path", path, "path")
    path = Path(path)
    header = json_ready({"format": FORMAT, **header})
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    sealed = {"sha256": checksum(header, tensors), "model": header}
    metadata = {"descend": _written(sealed)}
    with written_whole(path) as temporary:
        temporary.write_bytes(save(tensors, metadata=metadata))
    return path


def read_container(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Tensors]:
    """Return the header and the tensors of a file.

    Raises ModelError for a file that is missing, foreign, truncated, changed or of a later format.
    """
    from safetensors import SafetensorError, safe_open

    require("path", path, "path")
    name = Path(path).name
    if not os.path.isfile(path):
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
        header, seal = sealed["model"], sealed["sha256"]
        as_written = _written(sealed) == metadata["descend"]  # a changed digit may parse to the same number
        whole = as_written and isinstance(header, dict) and seal == checksum(header, tensors)
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise ModelError("model.inconsistent", file=name, reason=type(error).__name__) from error
    if not whole:
        raise ModelError("model.changed", file=name)
    if header.get("format") != FORMAT:
        raise ModelError("model.format", file=name, found=header.get("format"), known=FORMAT)
    return header, tensors


def _written(sealed: dict[str, Any]) -> str:
    return json.dumps(sealed, ensure_ascii=False, allow_nan=False)


def checksum(header: dict[str, Any], tensors: Tensors) -> str:
    """Return the SHA-256 of a model's header, as JSON with its keys sorted, and of its tensors."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()
