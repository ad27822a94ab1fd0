"""Files of Stata and SPSS, through pyreadstat (the C library ReadStat).

A damaged file can crash ReadStat, so files are read by another process: a crash there is an error here.
"""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import polars as pl

from descend.base.errors import OptionError, TableError
from descend.base.messages import Note
from descend.tables.formats._format import FORMATS, File, Format, ending_of, gathered
from descend.tables.labels import cell_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from descend.tables.formats._format import Writer
    from descend.tables.reading_options import ReadingOptions

READ = "from descend.tables.formats.stata_spss import read_in_child; read_in_child()"
UNFIT = re.compile(r"\W+")  # what no name of a variable holds
SHOWN = 5  # labels in a note


class Statistics(Format):
    """What files of Stata and of SPSS have in common.

    A column whose values all have labels is a category of these, in the order of their codes; one with labels for some
    of its values stays numbers, with a note. Values that are declared missing are missing; dates are dates.
    """

    typed = True
    extra = "stata-spss"
    whole = "format.whole-statistics"
    longest = 32  # letters of a variable's name

    def frame(self, file: File, options: ReadingOptions) -> pl.DataFrame:
        """Read a file in another process; raises ModuleNotFoundError without pyreadstat."""
        import pyreadstat  # noqa: F401  (told before a process is started)

        ending = ending_of(file.name)
        reader = ending if ending in self.endings else self.endings[0]
        made = subprocess.run([sys.executable, "-c", READ, reader], input=file.data, capture_output=True, check=False)
        told = made.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        if made.returncode:
            crash = signal.Signals(-made.returncode).name if made.returncode < 0 else ""
            raise TableError("table.damaged", file=file.name, kind=self.name, reason=crash or told[:200])
        for column, labels in json.loads(told).items():
            file.notes.append(Note("note.partly-labelled", {"column": column, "labels": labels}))
        return pl.read_ipc(io.BytesIO(made.stdout))

    def writer(self, path: Path, ending: str, scratch: str | None) -> AbstractContextManager[Writer]:
        """Give what gathers frames and writes them as one file, at once in memory.

        A name that no variable can have is changed; the name as it was is the variable's label. Declared levels are the
        labels of codes.
        """
        try:
            import pyreadstat
        except ModuleNotFoundError as error:
            raise OptionError("option.needs-extra", package="pyreadstat", extra=self.extra) from error
        writers: dict[str, tuple[Any, dict[str, Any]]] = {
            ".dta": (pyreadstat.write_dta, {}),
            ".sav": (pyreadstat.write_sav, {}),
            ".zsav": (pyreadstat.write_sav, {"compress": True}),
        }
        write, more = writers[ending]

        def write_frame(frame: pl.DataFrame) -> None:
            names = _variable_names(frame.columns, self.longest)
            plain = frame.select(_plain(frame[old]).alias(new) for old, new in zip(frame.columns, names, strict=True))
            declared = {name: frame[old].dtype for old, name in zip(frame.columns, names, strict=True)}
            labels = {
                name: dict(enumerate(dtype.categories, start=1))
                for name, dtype in declared.items()
                if isinstance(dtype, pl.Enum)
            }
            write(plain, path, column_labels=frame.columns, variable_value_labels=labels, **more)

        return gathered(path, scratch, write_frame, lambda rows: write_frame(rows.collect()))


class Stata(Statistics):
    """Stata's data files, of any version that ReadStat knows."""

    name = "stata"
    title = "Stata"
    endings = (".dta",)
    signatures = (b"<stata_dta>",)
    written = (".dta",)


class Spss(Statistics):
    """SPSS's data files, packed ones and portable ones."""

    name = "spss"
    title = "SPSS"
    endings = (".sav", ".zsav", ".por")
    signatures = (b"$FL2@(#)", b"$FL3@(#)")
    written = (".sav", ".zsav")
    longest = 64


def read_in_child() -> None:
    """Read the bytes at standard input as the kind of file that the first argument ends in.

    Writes Arrow to standard output, and as the last line of the error stream the labels of columns that have labels for
    some of their values, or what is wrong; then the exit code is 1.
    """
    try:
        frame, partly = parse_statistics(sys.stdin.buffer.read(), sys.argv[1])
        frame.write_ipc(sys.stdout.buffer)
        told, code = json.dumps(partly), 0
    except (Exception, pl.exceptions.PanicException) as error:  # pyreadstat and polars have errors of their own
        told, code = str(error).strip().partition("\n")[0] or type(error).__name__, 1
    sys.stderr.buffer.write(b"\n" + told.encode())
    raise SystemExit(code)


def parse_statistics(data: bytes, ending: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return the cells of a file, and by column the labels that only some of its values have.

    Raises an exception of any kind where the file is damaged, and may crash.
    """
    import pyreadstat

    readers: dict[str, Any] = {".dta": pyreadstat.read_dta, ".por": pyreadstat.read_por}
    frame, about = readers.get(ending, pyreadstat.read_sav)(io.BytesIO(data), output_format="polars")
    partly: dict[str, str] = {}
    labels = {name: found for name, found in about.variable_value_labels.items() if found and name in frame.columns}
    return frame.with_columns(_labelled(frame[name], found, partly) for name, found in labels.items()), partly


def _labelled(column: pl.Series, labels: Mapping[Any, str], partly: dict[str, str]) -> pl.Series:
    """Return a column as a category of its labels, or as it is where some of its values have none."""
    texts = {code: text for code, label in labels.items() if (text := cell_label(label))}
    values = column.drop_nulls().unique().to_list()
    if not texts or any(value not in texts for value in values):
        shown = [f"{cell_label(code)}: {text}" for code, text in list(texts.items())[:SHOWN] if code in values]
        if shown:
            partly[column.name] = ", ".join(shown)
        return column
    levels = list(dict.fromkeys(texts[code] for code in sorted(texts)))
    return pl.Series(column.name, [texts.get(value) for value in column], dtype=pl.Enum(levels))


def _variable_names(columns: Sequence[str], longest: int) -> list[str]:
    """Return names of variables for columns: letters, digits and underscores, no two alike but for their case."""
    names: list[str] = []
    taken: set[str] = set()
    for column in columns:
        stem = UNFIT.sub("_", column)
        stem = column if stem == column else stem.strip("_")
        stem = (stem if stem[:1].isalpha() else f"v{stem}")[:longest]
        name, number = stem, 1
        while name.lower() in taken:
            number += 1
            name = f"{stem[: longest - len(str(number)) - 1]}_{number}"
        names.append(name)
        taken.add(name.lower())
    return names


def _plain(column: pl.Series) -> pl.Series:
    """Return a column in a type that such files have."""
    if column.dtype == pl.Enum:
        return column.to_physical().cast(pl.Int32) + 1  # a code of each level, which is its label
    if column.dtype == pl.Categorical:
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        return column.fill_null("")  # how such files write a missing text
    if column.dtype == pl.Boolean:
        return column.cast(pl.Int8)
    if column.dtype == pl.Null or column.dtype.is_decimal() or column.dtype.is_float():
        return column.cast(pl.Float64)
    return column


FORMATS.add(Stata())
FORMATS.add(Spss())
