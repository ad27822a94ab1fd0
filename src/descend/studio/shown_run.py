"""The run that a page shows: its pictures at one of its epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.studio.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.studio.runs import Run
    from descend.studio.view import View


class ShownRun:
    """A scene, the epoch of it that is shown, and how a person wants to see it.

    ``way`` is the way to show the data and ``chosen`` the two parameters of the plane of the loss, where chosen.
    """

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.scene: Scene | None = None
        self.epoch = 0
        self.way = ""
        self.chosen: list[int] | None = None
        self._sent: dict[str, Any] | None = None  # the surface that the page has drawn

    @property
    def view(self) -> View | None:
        """The run that is shown."""
        return None if self.scene is None else self.scene.view

    def draw(self, view: View) -> Scene:
        """Return the scene of a run as a person wants to see it; may take a second, and may be called in a thread."""
        return Scene.of(view, self.way, self.chosen, self.lang)

    def look(self, scene: Scene, *, anew: bool = False) -> None:
        """Show another run: at its end, or where one is shown already at the same epoch unless ``anew``."""
        at_end = anew or self.view is None or self.epoch >= self.view.end
        self.scene = scene
        self.epoch = scene.view.end if at_end else min(self.epoch, scene.view.last)

    def follow(self, view: View, *, bent: bool) -> None:
        """Show the run of other settings; ``bent``: they change the loss that is drawn, or where the path begins."""
        assert self.scene is not None
        self.look(self.scene.bent(view, self.chosen, self.lang) if bent else self.scene.moved(view))

    def show(self, way: str | None = None, chosen: list[int] | None = None) -> bool:
        """Show the data another way, or the loss over two other parameters; returns whether there is a run."""
        if self.scene is None:
            return False
        if way is not None:
            self.way = way
            self.scene = self.scene.shown(way, self.lang)
        if chosen is not None:
            self.chosen = chosen
            self.scene = self.scene.bent(self.scene.view, chosen, self.lang)
        return True

    def speak(self, lang: str) -> None:
        """Go on in another language."""
        self.lang = lang
        if self.scene is not None:
            self.scene = self.scene.spoken(self.chosen, lang)

    def scrub(self, epoch: int) -> dict[str, Any]:
        """Go to an epoch; returns what moves."""
        assert self.scene is not None
        self.epoch = self.scene.view.nearest(epoch)
        return {**self.scene.moment(self.epoch), "equation": self.equation()}

    def stage(self, run: Run | None, compared: Sequence[Run], *, still: bool = True) -> dict[str, Any] | None:
        """Return what the three pictures show, None where there is no run.

        run: the row of the run that is shown, where it has one; compared: the rows laid over it.
        still: with what does not move when a slider does.
        """
        if self.scene is None:
            return None
        made = self.scene.moving([(one.name, one.curve) for one in compared if one is not run], self.lang)
        if run is not None and run in compared:
            made["loss"]["name"] = run.name
        made["moment"] = self.scrub(self.epoch)
        if still:
            made["data"] = self.scene.still()
        if still or self.scene.surface is not self._sent:
            made["plane"] = self._sent = self.scene.surface
        return made

    def equation(self) -> str:
        """Return the equation at the epoch that is shown."""
        return "" if self.scene is None else self.scene.equation(self.epoch, self.lang)

    def forget(self) -> None:
        """Show nothing, and no longer as a person wanted to see the table before."""
        self.scene, self.way, self.chosen = None, "", None
