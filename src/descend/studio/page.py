"""The page: its layout, and which part is drawn again after a change."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nicegui import Client, ui

from descend.base.errors import DescendError
from descend.base.messages import LANGUAGES, say
from descend.studio.charts import growing_picture
from descend.studio.event_schema import PLANE, RATE, SCRUBBED, only
from descend.studio.parts.head import HeadPart
from descend.studio.parts.hypothesis import HypothesisPart
from descend.studio.parts.parameters import ParametersPart
from descend.studio.parts.part import PagePart
from descend.studio.parts.predict import PredictPart
from descend.studio.parts.recipe import RecipePart
from descend.studio.parts.runs import RunsPart
from descend.studio.parts.table import TablePart
from descend.studio.parts.take import TakePart
from descend.studio.parts.words import WordsPart
from descend.studio.study import Study
from descend.studio.tabs import Tabs
from descend.studio.widgets import Rate, Scrub, Stage, button, tag
from descend.studio.worker.parent import Worker

if TYPE_CHECKING:
    from descend.studio.shared import Shared, Studio

STYLE = Path(__file__).parent / "widgets" / "studio.css"
STAGE_LABELS = (
    "stage", "data", "gone", "loss", "path", "way", "way-predicted", "way-regions", "axis-0", "axis-1", "fitted",
    "unseen", "epoch", "loss-axis", "loss-log", "more",
)  # fmt: skip
RATE_LABELS = ("rate", "number", "best", "slow", "stable", "sure", "unsure", "diverges")
SCRUB_LABELS = ("scrub", "back", "play", "pause", "on", "epoch", "loss-axis", "unseen")
STARTS = ("study-hours", "noisy-line", "unscaled-diverges", "three-classes")
TABS = ("runs", "predict", "take")
ALL = frozenset({"table", "hypothesis", "recipe", "stage", "zones", "words", "runs", "busy", "leave"})


def add_page(studio: Studio) -> Tabs:
    """Add the studio's page to the application, a study per tab, and return the registered tabs.

    The worker's process starts only when the browser connects its socket: anything may request a page and never use it.
    """
    tabs = Tabs(studio.tabs, studio.lang)

    def refuse() -> None:
        tag("p", "welcome", say("studio.too-many-tabs", studio.lang, most=studio.tabs))

    @ui.page("/", title="descend")
    async def page(client: Client, run: str = "") -> None:
        ui.add_css(STYLE)
        ui.add_head_html(_HELP)
        if tabs.full:
            refuse()
            return
        try:
            made = Page(studio)
        except OSError as error:
            reason = error.strerror or str(error)
            tag("p", "welcome", say("studio.no-room", studio.lang, folder=studio.folder, reason=reason))
            return

        client.on_delete(lambda: tabs.leave(client.id))
        tabs.expect(client.id, made, client.delete)
        made.build()
        await client.connected()
        if client.is_deleted:
            return  # the browser never connected
        if not tabs.enter(client.id):
            made.root.clear()
            with made.root:
                refuse()
            await tabs.leave(client.id)
            return
        made.study.worker.start()
        made.speak()
        found = studio.shared.get(run) if run else None
        if found is not None:
            await made.open_shared(found)
        elif studio.file is not None:
            await made.begin(studio.file)

    return tabs


class Page:
    """One tab: its study and its widgets. It also receives the progress of an upload."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.folder = Path(tempfile.mkdtemp(dir=studio.folder))
        self.study = Study(Worker(studio.most_rows), self.folder, studio.lang, self.heard)
        self.key = studio.uploads.expect(self)
        self.tab = TABS[0]

    # widgets

    def build(self) -> None:
        """Build every part in the page's language."""
        self.dark = ui.dark_mode(None)
        self.root = tag("div", "app")
        self.fill()

    def fill(self) -> None:
        """Put the parts on the page."""
        study = self.study
        self.root.clear()
        with self.root:
            tag("a", "skip", say("studio.skip", study.lang), href="#work")
            self.top = HeadPart(study, self.speak, self.dark)
            with tag("aside", "rail", aria_label=say("studio.rail", study.lang)):
                self.table = TablePart(study, f"/upload/{self.key}")
                self.hypothesis = HypothesisPart(study)
                self.recipe = RecipePart(study, self.follow)
            with tag("main", "work", id="work"):
                self._work()
        self.refresh(set(ALL))

    def _work(self) -> None:
        part = PagePart(self.study)
        with tag("div", "welcome") as self.welcome:
            tag("h2", text=part.say("welcome"))
            tag("p", text=part.say("welcome-more"))
            with tag("div", "starts"):
                for id in STARTS:
                    self._start(part, id)
        self.stage = Stage({key: part.say(f"stage-{key}") for key in STAGE_LABELS})
        self.scrub = Scrub({key: part.say(f"stage-{key}") for key in SCRUB_LABELS})
        self.rate = Rate({key: part.say(f"zone-{key}") for key in RATE_LABELS}, self.study.zones().told(), 0.1)
        self.parameters = ParametersPart(self.study, self._by_hand, self._to_the_end)
        self.stage.on("ready", lambda _: self._draw())
        self.stage.on("way", only(str, lambda way: self.study.show(way=way)))
        self.stage.on("plane", only(PLANE, lambda chosen: self.study.show(chosen=chosen)))
        self.stage.on("epoch", only(float, lambda epoch: self._scrubbed(int(epoch), None)))
        self.scrub.on("scrub", only(SCRUBBED, lambda said: self._scrubbed(int(said["epoch"]), said["serial"])))
        self.rate.on("rate", only(RATE, lambda said: self.follow(said["serial"], lr=float(said["rate"]))))
        self.rate.on("settle", lambda _: None if self.study.settled else self.study.settle(0.15))
        with tag("div", "below") as self.below:
            self.words = WordsPart(self.study)
            self._tabs(part)

    def _start(self, part: PagePart, id: str) -> None:
        from descend.labs import example

        button(example(id).title[self.study.lang], lambda: part.act(self.study.example(id)))

    def _tabs(self, part: PagePart) -> None:
        with tag("section", "card", aria_label=part.say("results")):
            self.buttons, self.panels = {}, {}
            with tag("div", "tabs", role="tablist", aria_label=part.say("results")):
                for name in TABS:
                    self.buttons[name] = self._tab(part, name)
            for name in TABS:
                self.panels[name] = tag("div", role="tabpanel", id=f"panel-{name}", aria_labelledby=f"tab-{name}")
            with self.panels["runs"]:
                self.runs = RunsPart(self.study, self.share)
            with self.panels["predict"]:
                self.predict = PredictPart(self.study)
            with self.panels["take"]:
                self.take = TakePart(self.study)
        self._turn(self.tab)

    def _tab(self, part: PagePart, name: str) -> ui.element:
        text, panel = part.say(f"tab-{name}"), f"panel-{name}"
        return button(text, lambda: self._turn(name), role="tab", id=f"tab-{name}", aria_controls=panel)

    def _turn(self, name: str) -> None:
        self.tab = name
        for key, panel in self.panels.items():
            panel.set_visibility(key == name)
            self.buttons[key]._props["aria-selected"] = "true" if key == name else "false"
            self.buttons[key].update()

    def speak(self, lang: str | None = None) -> None:
        """Tell the browser the language of the page; with ``lang`` change to another language."""
        if lang is not None and lang in LANGUAGES and lang != self.study.lang:
            self.study.shown.speak(lang)
            self.fill()
        with self.root:
            ui.run_javascript(f"document.documentElement.lang = '{self.study.lang}'")

    # what changes

    def heard(self, parts: set[str]) -> None:
        """Redraw the parts of the page that a change in the study affects."""
        with self.root:
            self.refresh(parts)

    def refresh(self, parts: set[str]) -> None:
        """Draw some parts again."""
        study = self.study
        if "table" in parts:
            self.table.show()
        if "hypothesis" in parts:
            self.table.mark()
            self.hypothesis.show()
        if "recipe" in parts:
            self.recipe.show()
        if parts & {"busy", "progress"}:
            self.top.show()
        if parts & {"busy", "stage"}:
            self.stage.run_method("fade", study.stale)
        if "progress" in parts and not study.live and study.progress.points:
            name = PagePart(study).say("stage-loss")
            self.stage.run_method("grow", growing_picture(study.progress.points, study.progress.total, name))
        if "zones" in parts:
            self._zones()
        if "stage" in parts:
            self._draw()
        elif "stage-moves" in parts:
            self._draw(still=False)
        if "words" in parts:
            self.words.show()
        if "runs" in parts:
            self.runs.show()
        if "leave" in parts:
            self.predict.show()
            self.take.show()
        self._frame()

    def _frame(self) -> None:
        """Show the invitation until there is a table or an error, then the pictures."""
        known, told = self.study.table.profile is not None, self.study.error is not None
        wanted = {self.welcome: not known and not told, self.below: known or told}
        drawn = known and not (told and self.study.view is None and not self.study.runs.rows)  # else three empty ones
        if ("alone" in self.below.classes) != (known and not drawn):
            self.below.classes(toggle="alone")
        sliders = drawn and self.parameters.shown
        wanted |= {self.stage: drawn, self.scrub: drawn, self.parameters.widget: sliders}
        wanted[self.rate] = drawn and not (sliders and self._to_optimum)  # without a rate there is more to see
        for part, shown in wanted.items():
            if part.visible != shown:
                part.set_visibility(shown)

    @property
    def _to_optimum(self) -> bool:
        """Whether the optimizer takes no learning rate."""
        return bool(self.study.settings.get("optimizer", "auto") == "auto")

    def _zones(self) -> None:
        rate = self.study.rate()
        fixed = self._to_optimum or self.study.table.profile is None
        self.rate.paint(self.study.zones().told(), rate if rate == rate else 0.0, disabled=fixed)

    def _draw(self, *, still: bool = True, serial: str | None = None) -> None:
        """Send the pictures: all of them, or only what moves."""
        made = self.study.stage(still=still)
        if made is None:
            self.stage.run_method("clear")
            self.scrub.tell(epoch=0, last=0, disabled=True)
            self.parameters.show(0)
            return
        self._show_moment(made["moment"], last=made["last"])
        by_hand = self.parameters.show(made["moment"]["epoch"])
        if by_hand is not None:
            made["moment"] = by_hand
            self.words.state(self.parameters.equation)
        self.stage.draw(made, serial)

    def _show_moment(self, moment: dict[str, Any], **more: Any) -> None:
        """Show the text of an epoch beside the pictures."""
        self.words.state(moment.pop("equation"))
        self.scrub.tell(**{name: moment[name] for name in ("epoch", "loss", "unseen") if name in moment}, **more)

    def follow(self, serial: str, **settings: Any) -> None:
        """Follow a slider while it is dragged."""
        if self.study.follow(**settings):
            self._draw(still=False, serial=serial)
            if "lr" not in settings:
                self._zones()
            self.words.foretell()
            self.study.settle()
        else:
            self.study.settled = False
            PagePart.act(self.study.restate(**settings))

    def _scrubbed(self, epoch: int, serial: str | None) -> None:
        if self.study.view is None:
            return
        moment = self.study.shown.scrub(epoch)
        self._show_moment(moment)
        self.parameters.at_epoch(moment["epoch"])
        self.stage.draw({"moment": moment}, serial)

    def _by_hand(self, moment: dict[str, Any], serial: str) -> None:
        """Show the parameters that were set by hand."""
        self.words.state(self.parameters.equation)
        self.stage.draw({"moment": moment}, serial)

    def _to_the_end(self) -> None:
        if self.study.view is not None:
            self._scrubbed(self.study.view.end, None)

    # runs that are shared

    async def open_shared(self, shared: Shared) -> None:
        """Open a run that another tab has shared."""
        study = self.study
        if shared.how == "open":
            await study.open(shared.what, shared.shown, shared.reading)
        else:
            await study.example(shared.what)
        if study.table.profile is not None:
            study.settings = dict(shared.settings)
            await study.restate(shared.formula)

    def share(self, number: int) -> str:
        """Share a run when the person asks for it; returns the key that opens it in another tab."""
        run = self.study.runs.find(number)
        assert run is not None
        study = self.study
        return self.studio.share(*study.table.source, study.table.file, run.formula, run.settings, study.table.reading)

    async def begin(self, file: str) -> None:
        """Read the file that the studio was started with; show its first rows before the rest is read."""
        self.study.turns.busy = "reading"
        self.study.heard({"busy"})
        await self.head(Path(file))
        await self.study.open(file, Path(file).name)

    # uploads

    async def began(self, name: str, size: int | None) -> None:
        """Note that a file starts to arrive; forget an earlier file that could not be read."""
        unread, self.study.table.unread = self.study.table.unread, None
        if unread is not None and unread.path != self.study.table.source[1]:
            self.studio.uploads.drop(self.key, Path(unread.path))
        self.top.receive(name, size)

    async def moved(self, received: int) -> None:
        """Show how much of the file has arrived."""
        self.top.receive(None, None, received)

    async def head(self, path: Path) -> None:
        """Show the first rows while the rest arrives; not while a fit runs, whose end is unknown."""
        if self.study.worker.busy:
            return
        try:
            profile = await self.study.worker.call("preview", str(path))
        except DescendError:
            return  # the full read reports what is wrong with the file
        if profile is not None:
            self.study.glance(profile)

    async def done(self, path: Path) -> None:
        """Read the whole file."""
        await self.study.open(str(path), path.name)
        unread = self.study.table.unread
        if self.study.table.source != ("open", str(path)) and (unread is None or unread.path != str(path)):
            self.studio.uploads.drop(self.key, path)  # the old table stays, and its file is needed

    async def failed(self, error: DescendError) -> None:
        """Show why the upload failed."""
        self.top.coming = None
        self.study.refuse(error)

    async def close(self) -> None:
        """End the tab and remove everything that belongs to it."""
        self.studio.uploads.forget(self.key)
        await self.study.close()
        shutil.rmtree(self.folder, ignore_errors=True)


_HELP = """<script>
for (const kind of ["focusin", "pointerover"]) {
  document.addEventListener(kind, (event) => {
    const help = document.getElementById("help");
    if (!help || !event.target.closest) return;
    const field = event.target.closest("[data-help]");
    if (field) help.textContent = field.dataset.help;
    else if (kind === "pointerover" && !event.target.closest(".rail")) help.textContent = help.dataset.none;
  });
}
</script>"""
