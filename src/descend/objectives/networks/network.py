"""A network: a PyTorch module as a function from a design's columns to the linear predictor of the target."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from descend.base.errors import DesignError, OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    import torch

    from descend.base.typing import Floats

BLOCK_NUMBERS = 100_000
FEWEST_ROWS = 64


def block_size(columns: int) -> int:
    """Return how many rows a network looks at together, so that what lies between its layers stays small."""
    return max(BLOCK_NUMBERS // max(columns, 1), FEWEST_ROWS)


def require_torch() -> ModuleType:
    """Return PyTorch; raises OptionError (``option.needs-extra``) where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise OptionError("option.needs-extra", package="PyTorch", extra="torch") from error
    return torch


@dataclass
class Network:
    """centre + spread * body(columns), the output of a module in the unit of the target.

    body: takes rows x columns, or rows of the ``shape`` that a row's columns have (``pictures``, height x width [x
        colours], as colours x height x width); gives rows x outputs (or rows).
    centre, spread: of each output: the target's mean and deviation where it is standardised, else 0 and 1.
    intercept: whether the design has a column of ones first, which the body does not see.
    title: what the hypothesis is called; ``named`` where that is an architecture, from which it can be built again.
    """

    body: torch.nn.Module
    outputs: int
    centre: Floats
    spread: Floats
    intercept: bool
    title: str
    shape: tuple[int, ...] | None = None
    pictures: bool = False
    named: bool = False

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return rows x outputs; X is rows x the design's columns without the intercept's, on the body's device.

        Raises DesignError where the body gives another shape, or fails.
        """
        shaped = self._shaped(X)
        try:
            Z: torch.Tensor = self.body(shaped)
        except Exception as error:  # whatever the user's own code raises
            given, reason = " x ".join(map(str, shaped.shape)), f"{type(error).__name__}: {error}"[:300]
            raise DesignError("design.module-fails", name=self.title, shape=given, reason=reason) from error
        tensor = require_torch().is_tensor(Z)
        if tensor and Z.ndim == 1:
            Z = Z[:, None]
        if not tensor or Z.shape != (len(X), self.outputs):
            found = (" x ".join(map(str, Z.shape)) or "1") if tensor else type(Z).__name__
            raise DesignError("design.module-outputs", found=found, expected=f"{len(X)} x {self.outputs}")
        if self.centre.any() or (self.spread != 1).any():
            return Z * Z.new_tensor(self.spread) + Z.new_tensor(self.centre)
        return Z

    def _shaped(self, X: torch.Tensor) -> torch.Tensor:
        if self.shape is None:
            return X
        X = X.reshape(len(X), *self.shape)
        if not self.pictures:
            return X
        colours_first = X[:, None] if X.ndim == 3 else X.permute(0, 3, 1, 2)
        return colours_first.contiguous(memory_format=require_torch().channels_last)  # convolutions are twice as fast

    def columns(self, X: Floats) -> Floats:
        """Return the columns of a design matrix that the body sees."""
        return X[:, 1:] if self.intercept else X

    def predictor(self, X: Floats) -> Floats:
        """Return the linear predictor, rows x outputs in float64, of a design matrix; dropout and the like are off."""
        torch = require_torch()
        like = self.reference()
        made = [np.empty((0, self.outputs))]
        with self.resting(), torch.inference_mode():
            size = block_size(X.shape[1])
            for first in range(0, len(X), size):
                block = np.ascontiguousarray(self.columns(X)[first : first + size])
                Z = self.forward(torch.from_numpy(block).to(like.device, like.dtype))
                made.append(Z.double().cpu().numpy())
        return np.concatenate(made)

    def reference(self) -> torch.Tensor:
        """Return a tensor of the kind and on the device that the body computes with."""
        torch = require_torch()
        first = next((tensor for tensor in self.body.parameters() if tensor.is_floating_point()), None)
        return torch.zeros(()) if first is None else first

    @property
    def dtype(self) -> str:
        """The kind of numbers that the body computes with: float32 or float64."""
        return str(self.reference().dtype).removeprefix("torch.")

    @property
    def device(self) -> str:
        """The kind of device that the body computes on: cpu, cuda or mps."""
        kind: str = self.reference().device.type
        return kind

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Look at the body as it predicts: dropout off, batch norm by its running means."""
        learning = self.body.training
        self.body.eval()
        try:
            yield
        finally:
            self.body.train(learning)

    def tensors(self) -> list[torch.Tensor]:
        """Return the parameters, then the buffers of numbers (batch norm's running means)."""
        buffers = [buffer for buffer in self.body.buffers() if buffer.is_floating_point()]
        return [*self.body.parameters(), *buffers]

    def state(self) -> Floats:
        """Return all of them as one flat vector, float64."""
        parts = [tensor.detach().double().cpu().numpy().ravel() for tensor in self.tensors()]
        return np.concatenate(parts) if parts else np.empty(0)

    def load(self, state: Floats) -> None:
        """Put a flat vector back into the body."""
        torch = require_torch()
        start = 0
        with torch.no_grad():
            for tensor in self.tensors():
                part = state[start : start + tensor.numel()].reshape(tensor.shape)
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(part)))
                start += tensor.numel()

    def at(self, state: Floats) -> Network:
        """Return a network of its own with another state."""
        made = replace(self, body=copy.deepcopy(self.body))
        made.load(state)
        return made

    @property
    def parameters(self) -> int:
        """The number of parameters that are learnt."""
        return sum(tensor.numel() for tensor in self.body.parameters() if tensor.requires_grad)
