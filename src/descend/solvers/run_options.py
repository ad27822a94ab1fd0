"""What a caller asks of a run besides its recipe: calls as it goes, a forecast, a file to keep it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.base.typing import OnEpoch
    from descend.solvers.checkpoint import Checkpoint


@dataclass(frozen=True)
class RunOptions:
    """What a run is given besides its recipe; none of it changes a number of the run.

    on_epoch: called with the epoch and the loss before its update.
    on_batch: called with the epoch and a batch's loss; the history then keeps the losses of batches.
    on_forecast: called before the first update with the ``Forecast`` of the run.
    foretell: make the forecast although nobody hears it; the diagnosis reads it.
    halt: stop at the first loss that is not finite.
    checkpoint: the file in which the run is kept as it goes, and from which it is taken up again.
    """

    on_epoch: OnEpoch | None = None
    on_batch: OnEpoch | None = None
    on_forecast: Callable[[Any], None] | None = None
    foretell: bool = False
    halt: bool = True
    checkpoint: Checkpoint | None = None

    @property
    def forecasts(self) -> bool:
        """Whether a forecast is made before the run."""
        return self.foretell or self.on_forecast is not None

    def tell_epoch(self, epoch: int, loss: float) -> None:
        """Call ``on_epoch`` where there is one."""
        if self.on_epoch is not None:
            self.on_epoch(epoch, loss)

    def tell_batch(self, epoch: int, loss: float) -> None:
        """Call ``on_batch`` where there is one."""
        if self.on_batch is not None:
            self.on_batch(epoch, loss)

    def tell_forecast(self, forecast: Any) -> None:
        """Call ``on_forecast`` where there is one."""
        if self.on_forecast is not None:
            self.on_forecast(forecast)


DEFAULT_OPTIONS = RunOptions()
