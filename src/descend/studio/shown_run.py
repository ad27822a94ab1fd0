"""The run that a page shows: its pictures at one of its epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.studio.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.studio.runs import Run
    from descend.studio.view import View


class ShownRun:
    """A scene, its current epoch, and the person's choices of how to draw it.

    ``way`` is the chosen way to show the data and ``chosen`` the two chosen parameters of the loss plane, None by
    default.
    """

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.scene: Scene | None = None
        self.epoch = 0
        self.way = ""
        self.chosen: list[int] | None = None
        self._sent: dict[str, Any] | None = None  # the surface that the page holds

    @property
    def view(self) -> View | None:
        """The run that is shown."""
        return None if self.scene is None else self.scene.view

    def draw(self, view: View) -> Scene:
        """Return the scene of a run with the person's choices; may take a second, and may run in a thread."""
        return Scene.of(view, self.way, self.chosen, self.lang)

    def look(self, scene: Scene, *, anew: bool = False) -> None:
        """Show another run: at its last epoch, or, where a run is shown already and not ``anew``, at the same epoch."""
        at_end = anew or self.view is None or self.epoch >= self.view.end
        self.scene = scene
        self.epoch = scene.view.end if at_end else min(self.epoch, scene.view.last)

    def follow(self, view: View, *, bent: bool) -> None:
        """Show the run of other settings; ``bent``: they change the loss surface or the start of the path."""
        assert self.scene is not None
        self.look(self.scene.bent(view, self.chosen, self.lang) if bent else self.scene.moved(view))

    def show(self, way: str | None = None, chosen: list[int] | None = None) -> bool:
        """Show the data another way, or the loss over two other parameters; returns whether a run is shown."""
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
        """Change the language."""
        self.lang = lang
        if self.scene is not None:
            self.scene = self.scene.spoken(self.chosen, lang)

    def scrub(self, epoch: int) -> dict[str, Any]:
        """Go to an epoch; returns the part of the pictures that changes."""
        assert self.scene is not None
        self.epoch = self.scene.view.nearest(epoch)
        return {**self.scene.moment(self.epoch), "equation": self.equation()}

    def stage(self, run: Run | None, compared: Sequence[Run], *, still: bool = True) -> dict[str, Any] | None:
        """Return the data of the three pictures, None without a run.

        run: the row of the shown run, None where it has none. compared: the rows of the runs drawn with it.
        still: include the parts that do not change when a slider moves.
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
        """Return the equation at the current epoch."""
        return "" if self.scene is None else self.scene.equation(self.epoch, self.lang)

    def forget(self) -> None:
        """Show no run, and drop the person's choices of how to draw it."""
        self.scene, self.way, self.chosen = None, "", None
