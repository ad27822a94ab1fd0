"""A network in a model file: its architecture by name, its parameters as tensors; never a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base import stored_fields
from descend.base.errors import ModelError, OptionError
from descend.objectives.networks.build import build_network, is_module
from descend.objectives.networks.network import Network, require_torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.container import Tensors
    from descend.design.matrix import Design
    from descend.objectives.target import Target


def described(network: Network) -> dict[str, Any]:
    """Return what is needed to build a network again, besides its tensors, as JSON can hold it."""
    return {"title": network.title, "named": network.named, "dtype": network.dtype}


def kept_tensors(network: Network) -> Tensors:
    """Return a network's tensors by name."""
    made = {f"body.{name}": tensor.detach().cpu().numpy() for name, tensor in network.body.state_dict().items()}
    return {**made, "centre": network.centre, "spread": network.spread}


def restored(
    header: dict[str, Any], tensors: Tensors, design: Design, target: Target, module: Any, file: str
) -> Network:
    """Build a network again.

    A named architecture is laid out without memory first and held against the tensors, so that a forged name cannot
    ask for more than the file holds. Raises ModelError where a module is needed or is not the one that was trained.
    """
    torch = require_torch()
    header = stored_fields.facts(header, ("title", "named", "dtype"))
    title, named = stored_fields.text(header["title"]), stored_fields.flag(header["named"])
    if not named and module is None:
        raise ModelError("model.needs-module", file=file, name=title)
    if not named and not is_module(module):
        raise ModelError("model.not-module", file=file, name=title, found=type(module).__name__)
    centre, spread = (stored_fields.array(tensors[name], (len(target.outputs),)) for name in ("centre", "spread"))
    moments, dtype = (centre, spread), stored_fields.one_of(header["dtype"], ("float32", "float64"))
    kept = {name.removeprefix("body."): array for name, array in tensors.items() if name.startswith("body.")}
    if named:
        with torch.device("meta"):
            network = build_network(title, design, target, moments=moments)
    else:
        try:
            network = build_network(module, design, target, moments=moments)
        except OptionError as error:
            raise ModelError("model.other-module", file=file, name=title) from error
    laid_out = network.body.state_dict()
    wanted = {name: tuple(tensor.shape) for name, tensor in laid_out.items()}
    if wanted != {name: _shape(array, wanted.get(name)) for name, array in kept.items()}:
        if named:
            raise ValueError("network")
        raise ModelError("model.other-module", file=file, name=title)
    state = {name: torch.from_numpy(array.reshape(wanted[name]).copy()) for name, array in kept.items()}
    if any(tensor.is_floating_point() != laid_out[name].is_floating_point() for name, tensor in state.items()):
        raise ValueError("network")
    network.body.load_state_dict(state, assign=True)
    network.body.to(getattr(torch, dtype)).eval()
    if not np.isfinite(network.state()).all():
        raise ValueError("network")
    return network


def _shape(array: NDArray[Any], wanted: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return a tensor's shape; a file holds a single number as a row of one."""
    return () if wanted == () and array.shape == (1,) else array.shape
