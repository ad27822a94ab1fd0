"""Any PyTorch module as an objective: its loss over rows and, through autograd, the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from descend.base.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.base.typing import Floats
    from descend.objectives.losses import Loss
    from descend.objectives.networks.network import Network
    from descend.objectives.torch_batches import Source

    Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class ModuleObjective:
    """criterion(network(X), Y) over the rows of ``source``, as a function of the network's flat state.

    ``loss`` is the criterion's NumPy counterpart; where the user brought a criterion of their own, ``mean`` tells
    whether it divides by the rows. ``unit`` is what the optimizer divides the loss by: the square of the target's
    deviation where that is standardised, so that a learning rate means the same for grams and for tons.
    """

    network: Network
    source: Source
    loss: Loss
    criterion: Criterion
    mean: bool = True
    unit: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of the state, and 1."""
        return self.network.state().size, 1

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.source.rows

    @property
    def elements(self) -> int:
        """Rows times targets."""
        return max(self.source.rows * self.source.targets, 1)

    @property
    def Y(self) -> Floats:
        """The targets, rows x targets."""
        return np.concatenate([Y.cpu().numpy() for _, Y in self.source.blocks()])

    def value(self, w: Floats) -> float:
        """Return the loss at a state."""
        self.network.load(w)
        return self.here()

    def gradient(self, w: Floats) -> Floats:
        """Return the derivative at a state, flat; 0 for the buffers."""
        return self.value_and_gradient(w)[1]

    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return both from one reading of the rows, dropout and the like off."""
        self.network.load(w)
        body = self.network.body
        body.zero_grad(set_to_none=True)
        total, rows = 0.0, 0
        with self.network.resting():
            for X, Y in self.source.blocks():
                part = self._sum(X, Y)
                part.backward()  # type: ignore[no-untyped-call]
                total += float(part.detach())
                rows += len(Y)
        parts = [
            np.zeros(tensor.numel()) if tensor.grad is None else tensor.grad.double().cpu().numpy().ravel()
            for tensor in self.network.tensors()
        ]
        body.zero_grad(set_to_none=True)
        share = max(rows, 1) if self.mean else 1
        return total / share, np.concatenate(parts) / share

    def curvature_limit(self) -> None:
        """A network's curvature has no limit that is known."""

    def here(self) -> float:
        """Return the loss of the network as it is, dropout and the like off."""
        total, rows = 0.0, 0
        with self.network.resting(), torch.inference_mode():
            for X, Y in self.source.blocks():
                total += float(self._sum(X, Y))
                rows += len(Y)
        return total / max(rows, 1) if self.mean else total

    def _sum(self, X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        """Return a block's loss, times its rows where the whole loss is their mean."""
        loss = self.criterion(self.network.forward(X), Y)
        return loss * len(Y) if self.mean else loss


def user_criterion(given: Any, classes: bool) -> Criterion:
    """Return a user's own loss: a callable of logits and targets; class codes are whole numbers, one a row."""

    def criterion(Z: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        try:
            loss: torch.Tensor = given(Z, Y[:, 0].long() if classes else Y)
        except Exception as error:  # whatever the user's own code raises
            raise OptionError("option.loss-fails", reason=f"{type(error).__name__}: {error}"[:300]) from error
        if not torch.is_tensor(loss) or loss.numel() != 1:
            found = " x ".join(map(str, loss.shape)) if torch.is_tensor(loss) else type(loss).__name__
            raise OptionError("option.loss-shape", found=found)
        return loss

    return criterion
