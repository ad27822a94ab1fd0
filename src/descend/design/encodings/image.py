"""An image: a column for each pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from descend.base import stored_fields
from descend.base.errors import DesignError
from descend.design.encodings import ENCODINGS, StoredEncodings
from descend.design.encodings._defaults import Defaults
from descend.formula.ast import Arithmetic, Factor, Name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.design.encodings import Group
    from descend.tables.columns import Columns, Use


@ENCODINGS.add
@dataclass(frozen=True)
class ImageCode(Defaults):
    """A column for each pixel, from 0 to 1; ``shape`` is height x width (x 3).

    Where the table holds arrays of floats, of any shape, ``scale`` is 1 and they are taken as they are.
    """

    name: ClassVar[str] = "image"
    use: ClassVar[Use] = "image"
    expression: ClassVar[None] = None
    levels: ClassVar[tuple[str, ...]] = ()
    stored_as: ClassVar[Group | None] = ("images", dict)
    column: str
    shape: tuple[int, ...]
    scale: int = 255

    @classmethod
    def takes(cls, factor: Factor, uses: Mapping[str, Use]) -> bool:
        """Tell whether a factor is a column of images."""
        plain = isinstance(factor, Arithmetic) and isinstance(factor.expression, Name)
        return plain and uses[str(factor)] == "image"

    @classmethod
    def of(cls, column: str, images: NDArray[Any]) -> ImageCode:
        """Return the encoding of a column from its images, rows x height x width (x 3)."""
        return cls(column, images.shape[1:], 255 if images.dtype == np.uint8 else 1)

    @classmethod
    def learn(cls, factor: Factor, data: Columns, rows: NDArray[np.int64] | None = None) -> ImageCode:  # noqa: ARG003
        """Take the shape that all images have."""
        return cls.of(str(factor), data.images[str(factor)])

    @classmethod
    def restore(cls, factor: Factor, stored: StoredEncodings) -> ImageCode:
        """Build it again from its scale and shape; raises ValueError for anything else."""
        found = stored_fields.entries(stored.of_column("images", str(factor)))
        scale, *shape = (stored_fields.whole_number(number, 1) for number in found)
        if not shape or math.prod(shape) > stored.width:
            raise ValueError(f"{shape}"[:100])
        return cls(str(factor), tuple(shape), stored_fields.one_of(scale, (1, 255)))

    def describe(self) -> list[int]:
        """Return the scale and the shape."""
        return [self.scale, *self.shape]

    @property
    def inputs(self) -> set[str]:
        """The column."""
        return {self.column}

    def addends(self, weights: Floats) -> dict[str, float]:
        """Return nothing: the weights of an image are an image themselves."""
        return {}

    @property
    def pictures(self) -> bool:
        """Whether these are pictures, and not arrays of floats."""
        return self.scale == 255

    @property
    def names(self) -> list[str]:
        """``image[0,0]``, ``image[0,1]`` and so on."""
        return [f"{self.column}[{','.join(map(str, place))}]" for place in np.ndindex(self.shape)]

    @property
    def width(self) -> int:
        """How many columns."""
        return math.prod(self.shape)

    def columns(self, data: Columns) -> Floats:
        """Return the pixels of every row, rows x pixels; raises DesignError for images of another shape."""
        images = data.images[self.column]
        if images.shape[1:] != self.shape or (images.dtype == np.uint8) != self.pictures:
            found, expected = (" x ".join(map(str, shape)) for shape in (images.shape[1:], self.shape))
            values = {"column": self.column, "file": data.table.name, "found": found, "expected": expected}
            raise DesignError("design.image-shape", **values)
        return np.asarray(images.reshape(len(images), -1) / self.scale, dtype=np.float64)
