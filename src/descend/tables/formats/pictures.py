"""Pictures, PNG and JPEG, read as images: one, or a folder of them."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend.base.errors import TableError
from descend.base.texts import shape_text
from descend.tables.formats._format import FORMATS, File, Format, folder_refused, require_effect
from descend.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL.Image import Image

    from descend.tables.reading_options import ReadingOptions

    Pixels = NDArray[np.uint8]

MOST = 50_000_000  # pixels: a file of a few bytes can claim any number


class Pictures(Format):
    """A PNG or JPEG file, and a folder of these, whose subfolders are their labels."""

    name = "picture"
    title = "PNG, JPEG"
    endings = (".png", ".jpg", ".jpeg")
    signatures = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
    images = True
    drawn = True
    whole = "format.whole-images"
    unwritten = "format.unwritten-images"

    def frame(self, file: File, options: ReadingOptions) -> pl.DataFrame:
        """Read one picture."""
        return pl.DataFrame({"file": [file.name], "image": read_picture(file.data, file.name)[None]})

    def is_folder(self, path: Path) -> bool:
        """Tell whether a folder, or a folder in it, holds pictures."""
        folders = (path, *(inside for inside in path.iterdir() if inside.is_dir()))
        return any(self._is_picture(file) for folder in folders for file in folder.iterdir())

    def read_folder(self, path: str, options: ReadingOptions) -> Table:
        """Read the pictures of a folder."""
        require_effect(options.layout, self)
        frame = _read_pictures(Path(path), self._pictures_in)
        return Table(frame, Path(path).name, options.markers(typed=False), pictures=True)

    def _is_picture(self, file: Path) -> bool:
        return file.suffix.lower() in self.endings and not file.name.startswith(".")

    def _pictures_in(self, folder: Path) -> list[Path]:
        return sorted(file for file in folder.iterdir() if self._is_picture(file) and file.is_file())


def read_picture(data: bytes, name: str) -> Pixels:
    """Return a picture as height x width bytes, x 3 for colour; what is transparent is white.

    Raises TableError for a file that is damaged, of another kind, or larger than MOST pixels.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as opened:
                if opened.width * opened.height > MOST:
                    raise Image.DecompressionBombError
                return _pixels(ImageOps.exif_transpose(opened))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise TableError("table.picture-large", file=name, most=MOST) from error
    except UnidentifiedImageError as error:
        raise TableError("table.no-picture", file=name) from error
    except Exception as error:  # Pillow's decoders have errors of every kind
        reason = str(error).split("\n")[0][:200]
        raise TableError("table.damaged", file=name, kind="PNG, JPEG", reason=reason) from error


def _read_pictures(folder: Path, pictures_in: Callable[[Path], list[Path]]) -> pl.DataFrame:
    """Return the pictures of a folder as ``file`` and ``image``; where they lie in subfolders, these are ``label``.

    Raises TableError where there are none, and where one is of another size or has other colours than the first.
    """
    try:
        files = pictures_in(folder)
        inner = sorted(part for part in folder.iterdir() if part.is_dir() and not part.name.startswith("."))
        labelled = [] if files else [(part.name, file) for part in inner for file in pictures_in(part)]
    except OSError as error:
        raise TableError("table.no-access", file=str(folder), reason=error.strerror or str(error)) from error
    files = files or [file for _, file in labelled]
    if not files:
        raise folder_refused(str(folder))
    names = [file.relative_to(folder).as_posix() for file in files]
    images: list[Pixels] = []
    for file, name in zip(files, names, strict=True):
        try:
            image = read_picture(file.read_bytes(), name)
        except OSError as error:
            raise TableError("table.no-access", file=str(file), reason=error.strerror or str(error)) from error
        if images and image.shape != images[0].shape:
            values = {"found": shape_text(image.shape), "first": names[0], "expected": shape_text(images[0].shape)}
            raise TableError("table.picture-shape", file=name, **values)
        images.append(image)
    columns: dict[str, Any] = {"file": names, "image": np.stack(images)}
    if labelled:
        columns["label"] = [label for label, _ in labelled]
    return pl.DataFrame(columns)


def _pixels(picture: Image) -> Pixels:
    from PIL import Image

    colour = picture.mode not in ("1", "L", "LA", "La", "I", "I;16", "F")
    if picture.mode.startswith(("I", "F")):  # 16 bits a pixel
        return np.asarray(np.clip(np.asarray(picture, dtype=np.float64) / 257, 0, 255).round(), dtype=np.uint8)
    if picture.has_transparency_data:
        seen = picture.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        picture = Image.alpha_composite(white, seen)
    return np.array(picture.convert("RGB" if colour else "L"))


FORMATS.add(Pictures())
