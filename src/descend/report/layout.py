"""The layout of the terminal: control characters shown as text, labelled lines, and tables without rules."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Span, Text

from descend.base.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import ConsoleOptions, RenderableType, RenderResult
    from rich.table import Column

LABEL = 10
GAP = 2
T = TypeVar("T", bound=Table)
ANY = 100_000  # letters: a width at which nothing is folded


class Visible(Console):
    """A console to which nothing can be sent but text and its own colours: control characters are shown."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return the text of a cell."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the pieces that are printed."""
        content = _visible_text(renderable) if isinstance(renderable, Text) else renderable
        for piece in super().render(content, options):
            yield piece if piece.control else Segment(visible(piece.text), piece.style)


def _visible_text(text: Text) -> Text:
    """Return a text with its control characters shown, every style where it was."""
    if visible(text.plain) == text.plain:
        return text
    shown = [visible(letter) for letter in text.plain]
    at = [0, *accumulate(map(len, shown))]
    made = text.blank_copy("".join(shown))
    made.spans = [Span(at[span.start], at[min(span.end, len(shown))], span.style) for span in text.spans]
    return made


class Grid(Table):
    """A table without lines that breaks no word where that can be: what is too wide goes on below, under its heads.

    Its first ``heads`` columns say what a row is, and stand there again.
    """

    heads: int = 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it in one piece where it fits, else in several below one another."""
        room = options.update(width=ANY)
        sizes = [_measured(console, room, column) for column in self.columns]
        if sum(size.maximum + GAP for size in sizes) - GAP <= options.max_width or len(sizes) <= self.heads:
            yield from super().__rich_console__(console, options)
            return
        most = options.max_width // 2
        head = sum(min(size.minimum, most) + GAP for size in sizes[: self.heads])
        for number, chosen in enumerate(self._pieces(sizes, options.max_width - head)):
            if number:
                yield Text()
            yield from self._piece([*range(self.heads), *chosen], sizes, options).__rich_console__(console, options)

    def _pieces(self, sizes: Sequence[Measurement], width: int) -> list[list[int]]:
        """Return the columns of each piece, as many as have room without a word broken, but one at least."""
        made: list[list[int]] = [[]]
        left = width
        for index in range(self.heads, len(sizes)):
            if made[-1] and sizes[index].minimum > left:
                made.append([])
                left = width
            made[-1].append(index)
            left -= sizes[index].minimum + GAP
        return made

    def _piece(self, chosen: Sequence[int], sizes: Sequence[Measurement], options: ConsoleOptions) -> Table:
        """Return some of the columns as a table, each as wide as its words and, while there is room, as its cells."""
        widths = [sizes[index].minimum for index in chosen]
        spare = options.max_width - sum(width + GAP for width in widths) + GAP
        for at, index in enumerate(chosen):
            if spare < 0 and at < self.heads:  # a name longer than the line: there is nothing else to fold
                widths[at] = max(widths[at] + spare, LABEL)
            elif spare > 0:
                widths[at] += min(spare, sizes[index].maximum - sizes[index].minimum)
            spare = options.max_width - sum(width + GAP for width in widths) + GAP
        piece = _bare(Table)
        columns = [self.columns[index] for index in chosen]
        for column, width in zip(columns, widths, strict=True):
            piece.add_column(column.header, justify=column.justify, overflow="fold", width=width)
        for row, cells in zip(self.rows, zip(*(column.cells for column in columns), strict=True), strict=True):
            piece.add_row(*cells, style=row.style)
        return piece


def grid_of(before: Sequence[str], after: Sequence[str], first: str = "", last: str | None = None) -> Table:
    """Return a table without lines: text columns (``before``, ``first``) on the left, figures, then perhaps a text."""
    grid = _bare(Grid)
    grid.heads = len(before) + 1
    for head in (*before, first):
        grid.add_column(head, justify="left", overflow="fold")
    for head in after:
        grid.add_column(head, justify="right", overflow="fold")
    if last is not None:
        grid.add_column(last, justify="left", overflow="fold")
    return grid


def labelled(lines: Sequence[tuple[str, RenderableType]]) -> RenderableType:
    """Return lines with a label each on the left, as wide in every part of a report."""
    grid = Table.grid(padding=(0, GAP, 0, 0))
    grid.add_column(style="dim", no_wrap=True, min_width=LABEL)
    grid.add_column(overflow="fold")
    for label, content in lines:
        grid.add_row(label, content)
    return Padding(grid, (0, 0, 0, 1))


def _bare(kind: type[T]) -> T:
    return kind(box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0))


def _measured(console: Console, room: ConsoleOptions, column: Column) -> Measurement:
    """Return the width of a column's longest word, and of its longest cell."""
    found = [Measurement.get(console, room, cell) for cell in (column.header, *column.cells)]
    return Measurement(max(one.minimum for one in found), max(one.maximum for one in found))
