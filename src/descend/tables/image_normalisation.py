"""Normalisation of pictures: they are resized and inverted to be like the images that a model was fitted on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend.base.errors import TableError
from descend.base.messages import Note
from descend.base.texts import shape_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.tables.table import Table

    Pixels = NDArray[np.uint8]

BLANK = 0.06  # of black on white: less is the grain of the paper
INK = 0.2  # of the darkest: what the edges are taken from, which blur
FIELD = 20 / 28  # of an image's side: what its ink takes up (LeCun et al. 1998, section III.A)


def as_fitted(table: Table, column: str, shape: tuple[int, int], *, light: bool) -> Table:
    """Return a table of pictures with each made a grey image of ``shape``, and notes that say what was done.

    light: whether the model's images have a light ground. Raises TableError for a picture on which nothing is drawn.
    """
    images = table.images(column)
    made = np.empty((len(images), *shape), dtype=np.uint8)
    turned = 0
    for row, image in enumerate(images):
        own = (ground(_grey(image)) > 127.5) != light
        turned += own
        if image.shape == shape:
            made[row] = 255 - image if own else image
        else:
            made[row] = redrawn(image, shape, light=light, name=f"{table.name}, {table.line(row)}")
    notes = list(table.notes)
    if turned:
        notes.append(Note("note.picture-turned", {"count": turned}))
    if images.shape[1:] != shape:
        field = shape_text(tuple(round(FIELD * side) for side in shape))
        notes.append(
            Note(
                "note.picture-redrawn",
                {"found": shape_text(images.shape[1:]), "shape": shape_text(shape), "field": field},
            )
        )
    return replace(table, frame=table.frame.with_columns(pl.Series(column, made)), notes=notes, pictures=False)


def redrawn(image: Pixels, shape: tuple[int, int], *, light: bool, name: str) -> Pixels:
    """Return a picture of any size prepared as the digits of MNIST were (LeCun et al. 1998, section III.A).

    It is made grey and cropped to the ink, which is scaled into 20 of every 28 pixels with its proportions kept and
    moved so that its centre of mass is in the middle. ``light``: on a light ground. Raises TableError without ink.
    """
    grey = _grey(image)
    paper = ground(grey)
    ink = np.maximum(paper - grey if paper > 127.5 else grey - paper, 0.0)
    if not ink.max() > BLANK * 255:
        raise TableError("table.no-ink", file=name)
    drawn = _centred(ink * (255 / ink.max()), shape)
    return 255 - drawn if light else drawn


def ground(grey: NDArray[Any]) -> float:
    """Return the shade of the background, 0 to 255: the median of the border pixels."""
    edges = [grey[..., 0, :], grey[..., -1, :], grey[..., :, 0], grey[..., :, -1]]
    return float(np.median(np.concatenate([edge.ravel() for edge in edges])))


def _grey(image: Pixels) -> NDArray[np.float64]:
    """Return the brightness (ITU-R BT.601)."""
    return np.asarray(image @ np.array([0.299, 0.587, 0.114]) if image.ndim == 3 else image, dtype=np.float64)


def _centred(ink: NDArray[np.float64], shape: tuple[int, int]) -> Pixels:
    from PIL import Image

    rows, columns = (np.flatnonzero((ink > INK * 255).any(axis=axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = min(FIELD * side / length for side, length in zip(shape, ink.shape, strict=True))
    height, width = (max(round(scale * length), 1) for length in ink.shape)
    small = Image.fromarray(ink.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    drawn = np.clip(np.asarray(small, dtype=np.float64), 0, 255)
    corner = []
    for axis, (side, length) in enumerate(zip(shape, drawn.shape, strict=True)):
        middle = float(drawn.sum(axis=1 - axis) @ np.arange(length)) / max(float(drawn.sum()), 1.0)
        corner.append(int(np.clip(round(side / 2 - middle), 0, side - length)))
    made = np.zeros(shape)
    made[corner[0] : corner[0] + height, corner[1] : corner[1] + width] = drawn
    return made.round().astype(np.uint8)
