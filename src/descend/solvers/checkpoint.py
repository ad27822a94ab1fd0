"""A file in which a run is kept as it goes, so that it can be resumed where it was stopped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from descend.base import container
from descend.base.atomic_files import json_ready
from descend.base.errors import OptionError

if TYPE_CHECKING:
    import os

    from descend.base.typing import Arrays

EVERY = 1.0  # seconds between two writings, at least


class Recordable(Protocol):
    """The record of a run that a checkpoint keeps."""

    def state(self) -> Arrays:
        """Return everything as arrays."""
        ...


@dataclass(frozen=True)
class SavedRun:
    """A run as it was before the updates of ``epoch``: its record, and the solver's ``state`` and ``facts``."""

    epoch: int
    record: Arrays
    state: Arrays
    facts: dict[str, Any]


class Checkpoint:
    """A file that holds the run which ``mark`` describes; with ``resume`` the run goes on from it where it exists.

    It is written at most once in EVERY seconds, whole or not at all. ``resumed_at`` is the epoch that the run went on
    from, None where it began anew.
    """

    def __init__(self, path: str | os.PathLike[str], mark: dict[str, Any], *, resume: bool = False) -> None:
        self.path, self.mark, self.resume = Path(path), json_ready(mark), resume
        self.resumed_at: int | None = None
        self._written = -np.inf

    def load(self, epochs: int) -> SavedRun | None:
        """Return the run to resume, of ``epochs`` epochs in all; None where there is none.

        Raises ModelError for a file that is damaged or not a checkpoint, OptionError for that of another run
        (``option.other-run``) and of one that is beyond so many epochs (``option.run-beyond``).
        """
        if not self.resume or not self.path.exists():
            return None
        header, arrays = container.read_container(self.path)
        require_same_run(self.path, self.mark, header.get("checkpoint"))
        if int(header["epoch"]) > epochs:
            raise OptionError("option.run-beyond", path=str(self.path), epoch=int(header["epoch"]), epochs=epochs)
        parts: dict[str, Arrays] = {"record": {}, "state": {}}
        for name, array in arrays.items():
            part, _, key = name.partition(".")
            parts[part][key] = array
        self.resumed_at = int(header["epoch"])
        return SavedRun(self.resumed_at, parts["record"], parts["state"], header["facts"])

    def save(self, epoch: int, record: Recordable, state: Arrays, facts: dict[str, Any] | None = None) -> None:
        """Write the run as it is before the updates of ``epoch``, unless it was written less than EVERY seconds ago."""
        if monotonic() - self._written < EVERY:
            return
        header = {"checkpoint": self.mark, "epoch": epoch, "facts": facts or {}}
        arrays = {f"record.{name}": array for name, array in record.state().items()}
        container.write_container(self.path, header, arrays | {f"state.{name}": array for name, array in state.items()})
        self._written = monotonic()


def require_same_run(path: Path, mark: dict[str, Any], found: dict[str, Any] | None) -> None:
    """Raise OptionError (``option.other-run``) where a file has no mark or that of another run."""
    keys = sorted({*mark, *(found or {})})
    different = [] if found is None else [key for key in keys if found.get(key) != mark.get(key)]
    if found is None or different:
        raise OptionError("option.other-run", path=str(path), different=", ".join(different) or "-")
