"""The table of a study: how it is had, read another way, or kept where another one cannot be; and what waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.base.errors import DescendError, FormulaError
from descend.formula.parser import parse
from descend.studio.looking import USUAL, Looking
from descend.studio.profile import propose
from descend.studio.reading import Unread, changed
from descend.tables.open import header_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from descend.studio.profile import Profile
    from descend.studio.reading import Reading
    from descend.studio.worker.parent import Worker
    from descend.studio.worker.session import Opened


class Opening(Looking):
    """A tab's table and the hypothesis that is stated on it.

    What a person asks for takes the place of what they asked for before: that ends without a word, whatever it had
    come to. Only a table that is being read is waited for, and what is stated meanwhile is not: it was of another one.
    """

    def __init__(self, worker: Worker, lang: str, heard: Callable[[set[str]], None]) -> None:
        super().__init__(lang)
        self.worker, self._heard = worker, heard
        self.file = ""
        self.source = ("", "")  # how the table was had, and what was asked for
        self.reading: dict[str, Any] = {}  # how its file was read
        self.unread: Unread | None = None  # the file that was to take its place
        self.profile: Profile | None = None
        self.formula = ""
        self.error: DescendError | None = None
        self.busy: str | None = None
        self.settled = True
        self._opened: Profile | None = None  # of the table that the worker has
        self._shown: int | None = None  # the run that is looked at
        self._told: DescendError | None = None  # an error that is not about the fit, and stays when one ends
        self._serial = 0  # of what was asked for last
        self._acting = False  # whether it is still being done
        self._fitting: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    def heard(self, parts: set[str]) -> None:
        """Tell the page what changed."""
        if not self._closed:
            self._heard(parts)

    async def restate(self, formula: str | None = None, **settings: Any) -> None:
        """Change the hypothesis or its recipe and act on it."""
        raise NotImplementedError

    def _forget(self) -> None:
        """Forget what was made of the table or the hypothesis before."""
        raise NotImplementedError

    # the table

    async def open(self, path: str, shown: str, reading: Reading | None = None) -> None:
        """Read a file and show a first hypothesis about it; ``shown`` is what the person calls the file."""
        await self._read("open", path, shown, changed(reading or {}))

    async def example(self, id: str) -> None:
        """Open a worked example with its own hypothesis and settings."""
        await self._read("example", id, f"{id}.csv", {})

    @property
    def asked(self) -> dict[str, Any] | None:
        """How the file was to be read that was asked for last; None where there is none."""
        if self.unread is not None:
            return self.unread.reading
        return self.reading if self.source[0] == "open" else None

    async def reread(self, settings: Mapping[str, Any] | None = None, /, **options: Any) -> None:
        """Read the file another way, and change settings with it; what has been stated of its table stays."""
        if self.busy == "reading" or self.asked is None:
            return
        path, shown = (self.unread.path, self.unread.shown) if self.unread else (self.source[1], self.file)
        stated = None
        if self.formula and path == self.source[1]:
            merged = {**self.settings, **(settings or {})}
            stated = self.formula, {name: value for name, value in merged.items() if value is not None}
        await self._read("open", path, shown, changed(self.asked, **options), stated)

    def _in_heading(self, formula: str) -> bool:
        """Whether a formula names what stands in a first line of numbers, which then is a header and no row."""
        heading = () if self._opened is None else self._opened.heading
        try:
            parsed = parse(formula)
        except FormulaError:
            return False
        return header_of(self.reading.get("header"), parsed) is True and any(
            name.name in heading for name in parsed.names
        )

    def glance(self, profile: Profile) -> None:
        """Show the first rows of a table while the rest still comes."""
        self.profile, self.error = profile, None
        self.heard({"table", "words"})

    def refuse(self, error: DescendError) -> None:
        """Show why something could not be done; the table is the one that it was."""
        self.error = self._told = error
        if self.profile is not self._opened:
            self.profile = self._opened
            self.heard({"table"})
        self.heard({"words", "busy"})

    async def _read(self, how: str, what: str, shown: str, reading: dict[str, Any], stated: Any = None) -> None:
        mine = self._begin()
        self.busy, self.error, self._told = "reading", None, None
        self.heard({"busy", "words"})
        try:
            opened = await self.worker.call(how, what, *([reading] if reading else []))
        except DescendError as error:
            if self._done(mine):
                self.unread = Unread(what, shown, reading) if how == "open" else None
                self.heard({"table"})
                await self._go_on(error)
            return
        self.source, self.reading, self.unread = (how, what), reading, None
        proposed = self._opened is not None and self.formula == propose(self._opened)
        self._take(opened, shown)  # also where another one is asked for already: the worker has it
        if stated is not None:
            formula, self.settings = stated
            if not (proposed and self._strange(formula)):
                self.formula = formula
        if self._done(mine):
            self.heard({"table", "hypothesis", "recipe", "stage", "zones", "words", "runs", "busy", "leave"})
            if self.formula:
                await self.restate()
            else:
                self.error = opened.profile.fault
                self.heard({"words"})

    def _take(self, opened: Opened, shown: str) -> None:
        self.file, self.profile, self._opened = shown, opened.profile, opened.profile
        self.formula, self.settings = opened.formula, {**USUAL, **opened.settings}
        self._forget()
        self.runs.clear()
        self._shown, self.way, self.chosen, self.settled = None, "", None, True

    def _strange(self, formula: str) -> bool:
        """Whether a formula names columns that the table does not have."""
        assert self._opened is not None
        known = {column.name for column in self._opened.columns}
        return any(name.name not in known for name in parse(formula).names)

    async def _go_on(self, error: DescendError) -> None:
        """Go on with the table there was, after another one could not be read."""
        if self.formula and (self.prepared is None or not self.settled):
            await self.restate()
        self.refuse(error)

    # one thing after another

    def _begin(self) -> int:
        """End what is under way, to begin with something else; returns its number."""
        self._serial += 1
        self._acting, self.busy = True, None
        self._break_off()
        return self._serial

    def _done(self, mine: int) -> bool:
        """Be done with what was begun; whether nothing else has been begun since."""
        if mine != self._serial or self._closed:
            return False
        self._acting, self.busy = False, None
        return True

    def _break_off(self) -> None:
        """End the fit that is awaited or runs; the worker sees it to its end before anything else."""
        task, self._fitting = self._fitting, None
        if task is not None and not task.done():
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
