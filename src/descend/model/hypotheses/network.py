"""The hypothesis that is a network: a PyTorch module takes the design's columns and gives the linear predictor."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from descend.base import stored_fields
from descend.base.errors import ModelError
from descend.base.messages import Note
from descend.model.equation import network_line
from descend.model.hypothesis import HYPOTHESES, Parameter
from descend.objectives.networks.network import require_torch
from descend.objectives.networks.serialise import described, kept_tensors, restored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from descend.analysis.inference import Inference
    from descend.analysis.profile import ProfileIntervals
    from descend.base.container import Tensors
    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.formula.ast import Coefficient
    from descend.model.hypothesis import Stored
    from descend.objectives.losses import Loss
    from descend.objectives.networks.network import Network
    from descend.objectives.objective import Objective
    from descend.objectives.target import Target
    from descend.tables.columns import Columns

NUMBERS = 150_000  # in the rows of an objective: the loss is wanted at hundreds of points
FEWEST = 50  # rows of an objective
PREDICTING = Lock()  # the body is switched over while it predicts


@HYPOTHESES.add
@dataclass(frozen=True, eq=False)
class NetworkHypothesis:
    """A network on the design's columns; ``weights`` (numbers x 1) is its flat state."""

    name: ClassVar[str] = "network"
    linear: ClassVar[bool] = False
    readable: ClassVar[bool] = False
    refusals: ClassVar[Mapping[str, str]] = {
        "coefficients": "model.no-coefficients",
        "intervals": "model.network-interval",
        "inference": "inference.network",
        "certificate": "report.network-minima",
        "forecast": "forecast.network",
        "sklearn": "model.sklearn-network",
    }

    design: Design
    weights: Floats
    module: Network

    @property
    def title(self) -> str:
        """The architecture, or the module's class."""
        return self.module.title

    @property
    def network(self) -> Network:
        """The network with its PyTorch module."""
        return self.module

    @property
    def exact(self) -> None:
        """None: a network has no coefficients."""

    @property
    def rest(self) -> None:
        """None: a network has no coefficients."""

    @property
    def raw(self) -> Floats:
        """Raise ModelError: a network has no coefficients."""
        raise self._refused("coefficients")

    @property
    def scaled(self) -> bool:
        """False: a network's equation has no numbers."""
        return False

    def weight_names(self, target: Target) -> list[str]:
        """Return the number of each weight: they have no names one by one."""
        return [str(index) for index in range(self.weights.size)]

    def coefficient_names(self, output: int) -> list[Coefficient]:
        """Raise ModelError: a network has no coefficients."""
        raise self._refused("coefficients")

    @property
    def finite(self) -> bool:
        """True: there are no units in which a network's numbers could be too large."""
        return True

    def at(self, weights: Floats) -> Self:
        """Return a network of its own with another state."""
        made = np.asarray(weights, dtype=np.float64).reshape(-1, 1)
        return type(self)(self.design, made, self.module.at(made.ravel()))

    def with_parameters(self, values: Mapping[str, float]) -> Self:
        """Raise ModelError: a network has no named parameters."""
        raise self._refused("coefficients")

    def exactly(self, coefficients: Floats, rest: Floats | None) -> Self:
        """Raise ModelError: a network has no coefficients."""
        raise self._refused("coefficients")

    def predictor(self, X: Floats) -> Floats:
        """Return the linear predictor, rows x outputs, of rows of the design's matrix; one thread at a time."""
        with PREDICTING:
            return self.module.predictor(X)

    def of_rows(self, data: Columns) -> Floats:
        """Return the linear predictor of rows."""
        return self.predictor(self.design.matrix(data))

    def scores(self, inference: Inference, data: Columns) -> Floats:
        """Raise ModelError: there are no intervals."""
        raise self._refused("intervals")

    def profile(
        self,
        inference: Inference,
        level: float,
        loss: Loss,
        limits: Mapping[str, tuple[float, float]],
        rows: Callable[[], tuple[Floats, Floats]],
    ) -> ProfileIntervals:
        """Raise ModelError: there are no intervals."""
        raise self._refused("intervals")

    def objective(self, X: Floats, Y: Floats, loss: Loss, l2: float) -> Objective:
        """Return the loss of a copy of the network, which asking for values may change, over the first rows."""
        from descend.objectives.torch_module import ModuleObjective
        from descend.solvers.torch_training import in_memory

        most = max(NUMBERS // X.shape[1], FEWEST)
        mine = self.module.at(self.module.state())
        return ModuleObjective(
            mine, in_memory(mine, X[:most], Y[:most]), loss, loss.criterion(require_torch()), loss.mean
        )

    def equation(self, target: Target) -> str:
        """Return the target as a function of the columns."""
        return network_line(self.design, target, self.title)

    def coefficients(self, target: Target) -> dict[str, Any]:
        """Raise ModelError: a network has no coefficients."""
        raise self._refused("coefficients")

    def parameters(self) -> list[Parameter]:
        """Return the module's parameters by name, as tensors."""
        named = self.module.body.named_parameters()
        return [Parameter(name, tensor.detach().cpu().numpy()) for name, tensor in named]

    def facts(self) -> dict[str, Any]:
        """Return the network's name, its size and where it computes."""
        return {
            "title": self.title,
            "inputs": len(self.design.names) - self.module.intercept,
            "outputs": self.module.outputs,
            "parameters": self.module.parameters,
            "dtype": self.module.dtype,
            "device": self.module.device,
        }

    def notes(self, settings: Mapping[str, Any]) -> list[Note]:
        """Tell of mixed precision where the device has none."""
        device = self.module.device
        if settings.get("mixed_precision") and device != "cuda":
            return [Note("note.full-precision", {"device": device})]
        return []

    def describe(self) -> tuple[dict[str, Any], Tensors]:
        """Return how the network is built, and its tensors; the place of an equation's weights stays empty."""
        tensors = {f"network.{name}": tensor for name, tensor in kept_tensors(self.module).items()}
        return {"network": described(self.module)}, {"weights": np.empty((0, 1)), **tensors}

    @classmethod
    def restore(cls, stored: Stored, design: Design, target: Target) -> Self:
        """Return the network that a model file holds; raises ModelError where its module is missing or another."""
        stored_fields.array(stored.tensors["weights"], (0, 1))
        own = {name.removeprefix("network."): t for name, t in stored.tensors.items() if name.startswith("network.")}
        network = restored(stored.header["network"], own, design, target, stored.module, stored.file)
        return cls(design, network.state()[:, None], network)

    def _refused(self, what: str) -> ModelError:
        return ModelError(self.refusals[what], title=self.title)
