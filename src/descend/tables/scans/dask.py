"""A Dask dataframe as a scan: its partitions, each computed where it is read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from descend.base.errors import TableError
from descend.base.texts import plain_name
from descend.tables.executors import Threads
from descend.tables.frames import from_memory
from descend.tables.scans.parquet import HEAD_ROWS
from descend.tables.table import Kind, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from descend.tables.executors import Workers
    from descend.tables.text.numerals import Notation


@dataclass(frozen=True)
class DaskPart:
    """A partition: the tasks that make it, of which ``key`` is the last.

    ``sources`` are the results that they begin with and that workers hold already, as Dask futures by key; who runs the
    tasks has them brought (``filled``), or fetches them itself.
    """

    name: str
    index: int
    key: Any
    graph: dict[Any, Any]
    sources: dict[Any, Any]
    columns: tuple[str, ...]
    kinds: dict[str, Kind]
    notations: dict[str, Notation]
    missing: tuple[str, ...]
    first: int = 0
    rows: int = 0
    size: int = 0

    @property
    def called(self) -> str:
        """What a person calls it."""
        return f"{self.name}[{self.index}]"

    def filled(self, values: Sequence[Any]) -> DaskPart:
        """Return the part with the results of its sources in place of the futures."""
        return replace(self, sources=dict(zip(self.sources, values, strict=True)))

    def frame(self) -> pl.DataFrame:
        """Compute the partition; raises TableError, naming it, where that fails or it has other columns."""
        import dask

        brought = {k: value.result() if hasattr(value, "result") else value for k, value in self.sources.items()}
        try:
            made = from_memory(dask.get({**self.graph, **brought}, self.key), None)
        except TableError:
            raise
        except FileNotFoundError as error:
            raise TableError("table.part-missing", file=self.called) from error
        except Exception as error:  # what a partition is made by may raise anything
            reason = f"{type(error).__name__}: {error}".split("\n")[0][:200]
            raise TableError("table.damaged", file=self.called, kind="partition", reason=reason) from error
        if not set(self.columns) <= set(made.columns):
            found, expected = ", ".join(made.columns), ", ".join(self.columns)
            raise TableError("table.part-columns", file=self.called, found=found, expected=expected)
        return made.select(self.columns)

    def table(self) -> Table:
        """Compute the rows; raises TableError where they are no longer those that were counted."""
        frame = self.frame()
        if frame.height != self.rows:
            raise TableError("table.part-changed", file=self.called)
        kinds, notations = dict(self.kinds), dict(self.notations)
        return Table(frame, self.called, self.missing, first=self.first, kinds=kinds, notations=notations)


@dataclass(frozen=True)
class DaskScan:
    """The partitions of a Dask dataframe of pandas frames; ``counts`` are their rows and bytes."""

    name: str
    head: Table
    rows: int
    size: int
    mark: str
    dask: Any
    counts: tuple[tuple[int, int], ...]
    scattered: bool = True
    quick: bool = False

    @classmethod
    def of(cls, frame: Any, name: str, missing: tuple[str, ...], workers: Workers | None = None) -> DaskScan:
        """Count the rows of a dataframe's partitions, by the workers that are to read them.

        Where partitions stand on one another's rows (a shuffle, a sort), they are computed once and stay in the memory
        of the workers, where these are a cluster's. Raises TableError for one without rows.
        """
        workers = workers or Threads()
        columns = tuple(plain_name(str(column)) for column in frame.columns)
        if any(column != own for column, own in zip(columns, frame.columns, strict=True)):
            frame = frame.rename(columns=dict(zip(frame.columns, columns, strict=True)))
        frame = _computed_once(frame, workers)
        made = list(_partitions(frame, name, columns, {}, {}, missing))
        counts = tuple(workers.each(_counted, made))
        if not any(rows for rows, _ in counts):
            raise TableError("table.no-rows", file=name)
        first = next(part for part, (rows, _) in zip(made, counts, strict=True) if rows)
        head = Table(next(iter(workers.each(_head, [first]))), name, missing)
        mark = hashlib.sha256(repr((str(frame._name), counts)).encode()).hexdigest()[:16]
        return cls(name, head, sum(rows for rows, _ in counts), sum(size for _, size in counts), mark, frame, counts)

    def parts(self, columns: Sequence[str]) -> Iterator[DaskPart]:
        """Yield the partitions that have rows, in their order; only some columns are read where the source can."""
        kinds, notations = self.head.judged(columns)
        few = self.dask[list(columns)]
        if few.optimize().npartitions != len(self.counts):  # Dask reads several as one where they become small
            few = self.dask
        first = 0
        made = _partitions(few, self.name, tuple(columns), kinds, notations, self.head.missing)
        for part, (rows, size) in zip(made, self.counts, strict=True):
            if rows:
                yield replace(part, first=first, rows=rows, size=size)
            first += rows


def _partitions(
    frame: Any,
    name: str,
    columns: tuple[str, ...],
    kinds: dict[str, Kind],
    notations: dict[str, Notation],
    missing: tuple[str, ...],
) -> Iterator[DaskPart]:
    for index, (key, graph) in enumerate(_graphs(frame)):
        sources = {k: value for k, value in graph.items() if _is_future(value)}
        tasks = {k: value for k, value in graph.items() if k not in sources}
        yield DaskPart(name, index, key, tasks, sources, columns, kinds, notations, missing)


def _graphs(frame: Any) -> list[tuple[Any, dict[Any, Any]]]:
    """Return for every partition its key and the tasks that make it."""
    from dask.optimization import cull

    best = frame.optimize()
    whole = dict(best.__dask_graph__())
    return [(key, cull(whole, [key])[0]) for key in best.__dask_keys__()]


def _computed_once(frame: Any, workers: Workers) -> Any:
    """Compute a dataframe once where its partitions share tasks and a cluster can hold the results."""
    client = getattr(getattr(workers, "link", None), "client", None)
    graphs = [graph for _, graph in _graphs(frame)]
    overlap = sum(map(len, graphs)) > len(set().union(*graphs))
    if client is None or not overlap:
        return frame
    with client.as_current():
        return client.persist(frame)


def _is_future(value: Any) -> bool:
    return hasattr(value, "key") and hasattr(value, "result") and hasattr(value, "client")


def _counted(part: Any) -> tuple[int, int]:
    frame = part.frame()
    return frame.height, int(frame.estimated_size())


def _head(part: Any) -> pl.DataFrame:
    frame: pl.DataFrame = part.frame()
    return frame.head(HEAD_ROWS)
