"""Pictures, PNG and JPEG, read as images: one, or a folder of them."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend.base.errors import TableError
from descend.tables.formats.idx import shape_text

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Pixels = NDArray[np.uint8]

STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
SUFFIXES = (".png", ".jpg", ".jpeg")
MOST = 50_000_000  # pixels: a file of a few bytes can claim any number


def is_picture(data: bytes, name: str) -> bool:
    """Tell a PNG or JPEG file by its first bytes, or by its name."""
    return data.startswith(STARTS) or Path(name).suffix.lower() in SUFFIXES


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


def read_folder(path: str) -> pl.DataFrame:
    """Return the pictures of a folder as ``file`` and ``image``; where they lie in subfolders, these are ``label``.

    Raises TableError where there are none, and where one is of another size or has other colours than the first.
    """
    folder = Path(path)
    try:
        files = _pictures_in(folder)
        inner = sorted(part for part in folder.iterdir() if part.is_dir() and not part.name.startswith("."))
        labelled = [] if files else [(part.name, file) for part in inner for file in _pictures_in(part)]
    except OSError as error:
        raise TableError("table.no-access", file=path, reason=error.strerror or str(error)) from error
    files = files or [file for _, file in labelled]
    if not files:
        raise TableError("table.folder", file=path)
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


def _pictures_in(folder: Path) -> list[Path]:
    found = (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))
    return sorted(file for file in found if file.is_file())
