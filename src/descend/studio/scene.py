"""A scene: a run with its pictures, and what of them stays while the epoch or the learning rate changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.report.plane import parameter_names
from descend.studio.charts import equation_at, loss_picture, moment, path_picture
from descend.studio.data_chart import data_picture, ways
from descend.studio.plane import contours, plane_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.report.plane import Plane
    from descend.studio.data_chart import DataPicture
    from descend.studio.view import LossCurve, View

OFFERED = 200  # parameters offered for the plane


@dataclass(frozen=True)
class Scene:
    """A run, one way to show its data, and the plane of the loss with its contours (``surface``)."""

    view: View
    way: str
    picture: DataPicture
    plane: Plane
    surface: dict[str, Any]

    @classmethod
    def of(cls, view: View, way: str, chosen: Sequence[int] | None, lang: str) -> Scene:
        """Return the scene of a run: its data shown in a way, the loss over two ``chosen`` parameters.

        A way that the run does not have becomes its first one. It may take a second for a loss over rows, and may run
        in a thread.
        """
        known = ways(view)
        way = way if way in known else known[0]
        plane = plane_of(view, chosen, lang)
        return cls(view, way, data_picture(view, way, lang), plane, _surface(view, plane))

    def moved(self, view: View) -> Scene:
        """Return the scene of another run over the same rows and the same loss, from the same start."""
        return replace(self, view=view)

    def bent(self, view: View, chosen: Sequence[int] | None, lang: str) -> Scene:
        """Return the scene of another run over the same rows, with the loss drawn again."""
        plane = plane_of(view, chosen, lang)
        return replace(self, view=view, plane=plane, surface=_surface(view, plane))

    def shown(self, way: str, lang: str) -> Scene:
        """Return the scene with its data shown another way; a way that the run does not have becomes its first one."""
        known = ways(self.view)
        way = way if way in known else known[0]
        return replace(self, way=way, picture=data_picture(self.view, way, lang))

    def spoken(self, chosen: Sequence[int] | None, lang: str) -> Scene:
        """Return the scene in another language."""
        plane = plane_of(self.view, chosen, lang)
        return replace(
            self.shown(self.way, lang),
            plane=plane,
            surface={**self.surface, "names": plane.names},
        )

    def still(self) -> dict[str, Any]:
        """Return the part of the data's picture that does not change."""
        return {**self.picture.still, "ways": ways(self.view), "way": self.way}

    def moving(self, others: list[tuple[str, LossCurve]], lang: str) -> dict[str, Any]:
        """Return the part of the pictures that another learning rate changes."""
        return {
            "loss": loss_picture(self.view, others, lang),
            "path": path_picture(self.view, self.plane),
            "last": self.view.last,
        }

    def moment(self, epoch: int) -> dict[str, Any]:
        """Return the part of the pictures that another epoch changes."""
        return moment(self.view, self.picture, self.plane, epoch)

    def equation(self, epoch: int, lang: str) -> str:
        """Return the equation after an epoch."""
        return "\n".join(equation_at(self.view, epoch, lang))


def _surface(view: View, plane: Plane) -> dict[str, Any]:
    return {**contours(view, plane), **_offered(view, plane)}


def _offered(view: View, plane: Plane) -> dict[str, Any]:
    """Return the parameters that the plane offers, those that move most of many, and how many are left out."""
    if not view.hypothesis.readable:
        return {"all": [], "chosen": [], "more": 0}
    names = parameter_names(view.hypothesis, view.target, None)
    away = np.abs(np.nan_to_num(view.goal - view.path[0], posinf=0.0, neginf=0.0))
    others = [at for at in np.argsort(-away, kind="stable").tolist() if at not in plane.chosen]
    kept = sorted([*plane.chosen, *others[: OFFERED - len(plane.chosen)]])
    offered = [{"at": at, "name": names[at]} for at in kept]
    return {"all": offered, "chosen": list(plane.chosen), "more": len(names) - len(offered)}
