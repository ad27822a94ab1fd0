"""The model that ``fit`` returns: it predicts and is tested, and can be drawn, saved and exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.model.fitted import FittedModel

if TYPE_CHECKING:
    import os
    from pathlib import Path


class Model(FittedModel):
    """A fitted hypothesis that predicts, is tested, drawn, saved and exported.

    ``fit`` and ``load`` return it. Its fields are those of ``ModelRecord``, and what it is asked about predictions
    stands in ``FittedModel``.

    >>> import descend
    >>> table = {"hours": [1, 2, 3, 4, 5], "score": [3.1, 4.9, 7.2, 8.8, 11.0]}
    >>> model = descend.fit("score ~ hours", table)
    >>> {name: round(value, 2) for name, value in model.coefficients.items()}
    {'(intercept)': 1.09, 'hours': 1.97}
    >>> list(model.intervals({"hours": [6]}).columns)
    ['hours', 'score_predicted', 'score_low', 'score_high', 'score_mean_low', 'score_mean_high']
    >>> again = descend.load(model.save("score.safetensors"))
    >>> again
    <descend.Model 'score ~ hours', linear, 5 rows>
    """

    def plot(self, path: str | os.PathLike[str] | None = None, *, lang: str = "en") -> Any:
        """Draw the fit; write it to ``path`` (.png, .svg, .pdf) where one is given. Returns the matplotlib figure."""
        from descend.report.plots import draw

        return draw(self, path, lang)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to one ``.safetensors`` file, whole or not at all. Returns its path."""
        from descend.model.serialise import save_model

        return save_model(self, path)

    def to_sklearn(self) -> Any:
        """Return a fitted LinearRegression or LogisticRegression that predicts the same; raises ModelError."""
        from descend.export.sklearn import to_sklearn

        return to_sklearn(self)

    def _repr_html_(self) -> str:
        from descend.report.html import render

        return render(self)


def load(path: str | os.PathLike[str], *, module: Any = None) -> Model:
    """Read a model that ``Model.save`` wrote; raises ModelError for a file that is not one, or not whole.

    module: the class of a network that is no named architecture, or one of its modules: a file holds parameters, not
    programs.

    >>> from descend import fit
    >>> path = fit("y ~ x", {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.0]}).save("line.safetensors")
    >>> print(load(path).equation)
    y = 1 + 2 × x
    """
    from descend.model.serialise import load_model

    return load_model(path, Model, module)
