"""How the terminal is laid out: labelled lines, and tables without lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table as Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

LABEL = 10


def grid_of(before: Sequence[str], after: Sequence[str], first: str = "", last: str | None = None) -> Grid:
    """Return a table without lines: text columns (``before``, ``first``) on the left, figures, then perhaps a text."""
    grid = Grid(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in (*before, first):
        grid.add_column(head, justify="left", overflow="fold")
    for head in after:
        grid.add_column(head, justify="right", overflow="fold")
    if last is not None:
        grid.add_column(last, justify="left", overflow="fold")
    return grid


def labelled(lines: Sequence[tuple[str, RenderableType]]) -> RenderableType:
    """Return lines with a label each on the left, as wide in every part of a report."""
    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True, min_width=LABEL)
    grid.add_column(overflow="fold")
    for label, content in lines:
        grid.add_row(label, content)
    return Padding(grid, (0, 0, 0, 1))
