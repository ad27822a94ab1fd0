"""Where a module's rows come from: tensors in memory, which are indexed, or a user's Dataset or DataLoader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from descend.base.errors import DesignError
from descend.objectives.networks.network import block_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from descend.base.typing import Floats

    Pair = tuple[torch.Tensor, torch.Tensor]

GATHERED_NUMBERS = 1_000_000


class Source(Protocol):
    """Rows of inputs (rows x columns) with their targets (rows x targets; class codes), on the module's device."""

    @property
    def rows(self) -> int:
        """The number of rows."""
        ...

    @property
    def targets(self) -> int:
        """The number of targets."""
        ...

    def blocks(self) -> Iterator[Pair]:
        """Yield all rows once, in blocks to be looked at."""
        ...

    def batches(self, size: int | None, *, drop_last: bool = False, least: int = 1) -> Iterator[Pair]:
        """Yield the batches of an epoch, in an order drawn from PyTorch's generator; None: all rows at once.

        A last batch of fewer rows than ``least`` is left out.
        """
        ...


@dataclass(frozen=True)
class InMemory:
    """Rows held as two tensors; a batch is a slice of rows that were gathered a few batches at a time."""

    X: torch.Tensor
    Y: torch.Tensor

    @classmethod
    def of(cls, X: Floats, Y: Floats, like: torch.Tensor) -> InMemory:
        """Put arrays on the device and in the kind of numbers of ``like``."""
        made = (torch.from_numpy(np.ascontiguousarray(array)).to(like.device, like.dtype) for array in (X, Y))
        return cls(*made)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.Y)

    @property
    def targets(self) -> int:
        """The number of targets."""
        return self.Y.shape[1]

    def blocks(self) -> Iterator[Pair]:
        """Yield all rows once."""
        size = block_size(self.X.shape[1])
        yield from zip(torch.split(self.X, size), torch.split(self.Y, size), strict=True)

    def batches(self, size: int | None, *, drop_last: bool = False, least: int = 1) -> Iterator[Pair]:
        """Yield the batches of an epoch."""
        if size is None or size >= self.rows:
            yield self.X, self.Y
            return
        rows = self.rows // size * size if drop_last or self.rows % size < least else self.rows
        order = torch.randperm(self.rows).to(self.X.device)[:rows]
        together = size * max(GATHERED_NUMBERS // (size * max(self.X[0].numel(), 1)), 1)
        for chosen in torch.split(order, together):
            yield from zip(torch.split(self.X[chosen], size), torch.split(self.Y[chosen], size), strict=True)


class StreamedBatches:
    """Rows that a user's Dataset or DataLoader gives, as often as they are asked for.

    A Dataset is batched and shuffled here, read by ``workers`` processes; a DataLoader is taken as it is. Each batch
    is a pair of inputs, divided by ``scale`` (255: bytes of pictures), and targets.
    """

    def __init__(self, data: Any, like: torch.Tensor, *, scale: int = 1, workers: int = 0) -> None:
        self.data, self.like, self.scale, self.workers = data, like, scale, workers
        self.targets = 1
        dataset = data.dataset if isinstance(data, DataLoader) else data
        self.rows = len(dataset) if hasattr(dataset, "__len__") else 0

    def blocks(self) -> Iterator[Pair]:
        """Yield all rows once."""
        yield from self._read(self._loader(1024, shuffle=False, drop_last=False))

    def batches(self, size: int | None, *, drop_last: bool = False, least: int = 1) -> Iterator[Pair]:
        """Yield the batches of an epoch."""
        for X, Y in self._read(self._loader(size or max(self.rows, 1), shuffle=True, drop_last=drop_last)):
            if len(Y) >= least or size == 1:
                yield X, Y

    def _loader(self, size: int, *, shuffle: bool, drop_last: bool) -> Any:
        if isinstance(self.data, DataLoader):
            return self.data
        shuffle = shuffle and not isinstance(self.data, IterableDataset)
        return DataLoader(self.data, batch_size=size, shuffle=shuffle, drop_last=drop_last, num_workers=self.workers)

    def _read(self, loader: Any) -> Iterator[Pair]:
        rows = 0
        for pair in given_pairs(loader):
            X, Y = (torch.as_tensor(part).to(self.like.device, self.like.dtype) for part in pair)
            rows += len(Y)
            yield X.reshape(len(X), -1) / self.scale, Y.reshape(len(Y), -1)
        self.rows = rows


def given_pairs(loader: Any) -> Iterator[tuple[Any, Any]]:
    """Yield a loader's batches of inputs and targets.

    Raises DesignError for a batch that is no pair, and for whatever the user's data set raises.
    """
    batches = iter(loader)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:300]
            raise DesignError("design.stream-fails", reason=reason) from error
        if not (isinstance(batch, (list, tuple)) and len(batch) == 2):
            raise DesignError("design.loader-pairs", found=type(batch).__name__)
        yield batch[0], batch[1]
