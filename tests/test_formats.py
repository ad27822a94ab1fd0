"""Each kind of file is asked on every floor: recognised, read, read in parts or not, written or not, and documented."""

import datetime
import gzip
import sqlite3
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import descend
from descend.base.errors import DescendError, OptionError, TableError
from descend.base.messages import LANGUAGES, say
from descend.cli import main
from descend.tables.find_files import open_scan
from descend.tables.formats import FORMATS, Format, format_list, recognise, recognise_nameless
from descend.tables.open import read
from descend.tables.write import require_written, table_writer, written_endings

ROWS = pl.DataFrame({"hours": [1.5, 2.0, 3.25], "count": [4, 5, 6], "group": ["a", "b", "나"]})
LINES = {"skip_rows": 1, "header_row": 2, "comment": "#", "skip_footer": 1}
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def written_sample(path, frame=ROWS):
    with table_writer(path) as write:
        write(frame)


def write_excel(path):
    ROWS.write_excel(path)


def write_sqlite(path):
    with sqlite3.connect(path) as database:
        database.execute("create table lessons (hours real, count integer, 'group' text)")
        database.executemany("insert into lessons values (?, ?, ?)", ROWS.rows())
    database.close()


def write_idx(path):
    path.write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 2, 4, 3) + bytes(range(24)))


def write_png(path):
    from PIL import Image

    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(4, 3)).save(path, "png")


SAMPLES = {
    "text": written_sample,
    "parquet": written_sample,
    "arrow": written_sample,
    "json": written_sample,
    "ndjson": written_sample,
    "excel": write_excel,
    "sqlite": write_sqlite,
    "idx": write_idx,
    "picture": write_png,
    "stata": written_sample,
    "spss": written_sample,
}
LIBRARIES = {
    "excel": "fastexcel",
    "stata": "pyreadstat",
    "spss": "pyreadstat",
}  # what reads a format that needs an extra

every_format = pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
every_ending = pytest.mark.parametrize(("ending", "format"), written_endings().items(), ids=written_endings())


@pytest.fixture
def sample(format, tmp_path):
    path = tmp_path / f"sample{format.endings[0]}"
    SAMPLES[format.name](path)
    return path


def test_there_is_a_sample_of_every_format():
    assert set(SAMPLES) == set(FORMATS)
    assert set(LIBRARIES) == {format.name for format in FORMATS.values() if format.extra}


@every_format
def test_a_format_is_recognised_by_the_endings_of_its_names(format):
    for ending in format.endings:
        for name in (f"table{ending}", f"TABLE{ending.upper()}"):
            assert recognise(b"", name) is format
    assert [other.name for other in FORMATS.values() for ending in format.endings if ending in other.endings] == [
        format.name
    ] * len(format.endings)


@every_format
def test_a_format_is_recognised_by_its_bytes(format, sample):
    data = sample.read_bytes()
    assert recognise_nameless(data) is format
    if format.has_signature(data):
        for name in ("no-ending", "another.json", "another.tsv"):
            assert recognise(data, name) is format


@pytest.mark.slow
@every_format
def test_a_format_is_read_by_name_by_bytes_alone_and_gzipped(format, sample, tmp_path):
    table = read(str(sample))
    assert table.rows > 0
    if not format.images:
        assert_frame_equal(read_numbers(sample), ROWS, check_dtypes=False)
    packed = tmp_path / f"{sample.name}.gz"
    packed.write_bytes(gzip.compress(sample.read_bytes()))
    if format.name != "sqlite":  # SQLite reads the file itself
        assert read(str(packed)).frame.rows() == table.frame.with_columns(*same_name(table, packed)).rows()


def same_name(table, path):
    """Return the column of names of a table of pictures, changed to that of another file."""
    return [pl.lit(path.name).alias("file")] if "file" in table.columns else []


def read_numbers(path, **options):
    """Return a table's columns as ``fit`` takes them."""
    table = read(str(path), **options)
    numbers = {name: table.numbers(name) for name in table.columns if table.kind(name) == "number"}
    return pl.DataFrame({name: numbers.get(name, table.labels(name)) for name in table.columns}).with_columns(
        pl.col(pl.Enum, pl.Categorical).cast(pl.String)
    )


@every_format
def test_a_format_says_in_both_languages_why_it_is_not_read_in_parts_or_not_written(format):
    assert bool(format.whole) == (type(format).scan is Format.scan)
    assert bool(format.unwritten) == (not format.written) == (type(format).writer is Format.writer)
    for code in filter(None, (format.whole, format.unwritten)):
        assert len({say(code, lang) for lang in LANGUAGES}) == len(LANGUAGES)


@every_format
def test_a_format_is_read_in_parts_or_alone(format, sample, tmp_path):
    one = open_scan(str(sample))
    assert (one is None) == bool(format.whole)
    folder = tmp_path / "many"
    folder.mkdir()
    for part in "ab":
        (folder / f"{part}{format.endings[0]}").write_bytes(sample.read_bytes())
    if format.drawn:
        assert read(str(folder)).rows == 2
    elif format.whole:
        with pytest.raises(TableError) as error:
            read(str(folder))
        assert error.value.code == "table.many-of-kind"
        for lang in LANGUAGES:
            assert say(format.whole, lang) in error.value.hint(lang)
    else:
        assert read(str(folder)).rows == 2 * ROWS.height


@every_format
@pytest.mark.parametrize("option", LINES)
def test_an_option_about_lines_is_taken_or_refused(format, option, sample):
    if option in format.lines:
        read(str(sample), header=True if option == "skip_rows" else None, **{option: LINES[option]})
        return
    with pytest.raises(OptionError) as error:
        read(str(sample), **{option: LINES[option]})
    assert error.value.code == "option.no-effect"
    for other in FORMATS.values():
        assert (other.title in error.value.values["needs"]) == (option in other.lines)


@pytest.mark.slow
@every_ending
@pytest.mark.parametrize("parts", [1, 3])
def test_what_is_written_is_read_again(ending, format, parts, tmp_path):
    path = tmp_path / f"out{ending}"
    with table_writer(path) as write:
        for frame in [ROWS] if parts == 1 else ROWS.iter_slices(1):
            write(frame)
    assert recognise(path.read_bytes(), path.name) is format
    assert_frame_equal(read_numbers(path), ROWS, check_dtypes=False)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
@every_ending
def test_a_column_of_several_number_types_is_written_as_one(ending, format, tmp_path):
    path = tmp_path / f"out{ending}"
    with table_writer(path) as write:
        write(pl.DataFrame({"n": [1, 2]}))
        write(pl.DataFrame({"n": [0.5]}))
    assert read(str(path)).numbers("n").tolist() == [1.0, 2.0, 0.5]


@every_format
def test_a_file_to_write_of_a_format_that_is_only_read_is_refused_with_the_reason(format):
    for ending in format.endings:
        if not format.unwritten:
            assert ending not in written_endings() or require_written(f"out{ending}") == ending
            continue
        with pytest.raises(OptionError) as error:
            require_written(f"out{ending}")
        assert error.value.code == "option.out-unwritten"
        assert error.value.values["known"] == ", ".join(written_endings())
        for lang in LANGUAGES:
            assert say(format.unwritten, lang) in error.value.tell(lang)


def test_an_ending_that_nothing_knows_is_refused_with_those_that_are_written():
    with pytest.raises(OptionError) as error:
        require_written("out.docx")
    assert (error.value.code, error.value.values["known"]) == ("option.out-kind", ", ".join(written_endings()))


@pytest.mark.slow
@every_format
def test_a_file_that_is_cut_short_is_a_table_or_an_error_of_ours(format, sample):
    data = sample.read_bytes()
    for length in range(0, len(data), max(1, len(data) // 50)):
        sample.write_bytes(data[:length])
        with suppress(DescendError):
            read(str(sample))


@every_format
def test_a_file_of_another_kind_than_its_name_is_an_error_that_says_the_kind(format, tmp_path):
    path = tmp_path / f"wrong{format.endings[0]}"
    path.write_bytes(b"\x07wrong\0" * 40)
    with pytest.raises(TableError) as error:
        read(str(path))
    assert error.value.code.startswith("table.")
    assert path.name in str(error.value)


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_reader_that_is_not_installed_is_told_with_what_to_install(name, tmp_path, monkeypatch):
    path = tmp_path / f"sample{FORMATS[name].endings[0]}"
    SAMPLES[name](path)
    monkeypatch.setitem(sys.modules, LIBRARIES[name], None)
    with pytest.raises(TableError) as error:
        read(str(path))
    assert error.value.code == "table.needs-extra"
    assert f'pip install "descend[{FORMATS[name].extra}]"' in error.value.hint()


@pytest.mark.slow
@every_format
def test_a_format_is_documented_and_in_the_help(format, capsys):
    for title in format.title.split(", "):
        assert title in README
    assert format.title in format_list(images=format.images)
    main(["fit", "--help"])
    shown = "".join(capsys.readouterr().out.replace("│", "").split())
    assert "".join(format.title.split()) in shown
    assert "".join(format.inside.split()) in shown


def test_every_ending_that_is_written_is_in_the_help(capsys):
    main(["predict", "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", "").split())
    assert all(ending in shown for ending in written_endings())


def survey():
    """Return the answers of a survey as statistics programs keep them: codes, their labels, dates, missing codes."""
    day = datetime.date(2020, 1, 31)
    frame = pl.DataFrame(
        {
            "score": [1.0, 2.5, None, 4.0, 99.0, 3.0],
            "level": [3.0, 1.0, 2.0, None, 1.0, 3.0],
            "age": [20.0, 31.0, 44.0, 99.0, 52.0, 61.0],
            "town": ["서울", "Ulm", "", "Ulm", "Ulm", "Bonn"],
            "day": [day, None, day, day, day, day],
            "at": [datetime.datetime(2020, 1, 31, 12, 30, 5)] * 6,
        }
    )
    return frame, {"level": {1: "low", 2: "mid", 3: "high"}, "age": {99: "refused"}}


def write_survey(path):
    import pyreadstat

    frame, labels = survey()
    if path.suffix == ".dta":
        pyreadstat.write_dta(frame, str(path), variable_value_labels=labels)
    elif path.suffix == ".por":
        pyreadstat.write_por(frame.with_columns(town=pl.col("town").replace("서울", "Seoul")), str(path))
    else:
        more = {"compress": path.suffix == ".zsav", "missing_ranges": {"score": [99.0]}}
        pyreadstat.write_sav(frame, str(path), variable_value_labels=labels, **more)


@pytest.fixture(params=[".dta", ".sav", ".zsav"])
def answers(request, tmp_path):
    path = tmp_path / f"answers{request.param}"
    write_survey(path)
    return path


@pytest.mark.slow
def test_labelled_values_are_categories_in_the_order_of_their_codes(answers):
    table = read(str(answers))
    assert table.labels("level").to_list() == ["high", "low", "mid", None, "low", "high"]
    assert table.levels("level") == ("low", "mid", "high")
    assert table.labels("town").to_list() == ["서울", "Ulm", None, "Ulm", "Ulm", "Bonn"]


@pytest.mark.slow
def test_a_column_with_labels_for_some_of_its_values_is_numbers_and_that_is_told(answers):
    table = read(str(answers))
    assert table.numbers("age").tolist() == [20.0, 31.0, 44.0, 99.0, 52.0, 61.0]
    notes = [note for note in table.notes if note.code == "note.partly-labelled"]
    assert [note.values for note in notes] == [{"column": "age", "labels": "99: refused"}]
    assert np.isnan(read(str(answers), missing=["99"]).numbers("age")[3])


def test_values_that_are_declared_missing_are_missing(tmp_path):
    import pyreadstat

    write_survey(tmp_path / "a.sav")
    np.testing.assert_array_equal(read(str(tmp_path / "a.sav")).numbers("score"), [1.0, 2.5, np.nan, 4.0, np.nan, 3.0])
    pyreadstat.write_dta(
        pl.DataFrame({"score": pl.Series([1.0, "a", None, 4.0], dtype=pl.Object)}).to_pandas(),
        str(tmp_path / "a.dta"),
        missing_user_values={"score": ["a"]},
    )
    np.testing.assert_array_equal(read(str(tmp_path / "a.dta")).numbers("score"), [1.0, np.nan, np.nan, 4.0])


@pytest.mark.slow
def test_dates_are_dates(answers):
    table = read(str(answers))
    assert table.frame["day"].to_list() == survey()[0]["day"].to_list()
    assert table.frame["at"].to_list() == survey()[0]["at"].to_list()
    assert table.labels("day").to_list()[:2] == ["2020-01-31", None]


def test_a_portable_file_of_spss_is_read(tmp_path):
    write_survey(tmp_path / "a.por")
    table = read(str(tmp_path / "a.por"))
    assert table.numbers("AGE" if "AGE" in table.columns else "age").tolist() == [20.0, 31.0, 44.0, 99.0, 52.0, 61.0]


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".dta", ".sav", ".zsav"])
def test_a_file_of_a_statistics_program_that_is_cut_short_is_an_error(ending, tmp_path):
    write_survey(tmp_path / f"a{ending}")
    data = (tmp_path / f"a{ending}").read_bytes()
    end = data.index(b"<value_labels>") if ending == ".dta" else len(data)  # the rows are whole where it is cut later
    program = """
import pathlib, sys
from descend.tables.formats.stata_spss import parse_statistics
data, ending, end = pathlib.Path(sys.argv[1]).read_bytes(), sys.argv[2], int(sys.argv[3])
for length in range(0, end, max(1, end // 50)):
    try:
        parse_statistics(data[:length], ending)
    except Exception:
        continue
    print(length)
"""
    arguments = [sys.executable, "-c", program, str(tmp_path / f"a{ending}"), ending, str(end)]
    made = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (made.returncode, made.stdout) == (0, "")


def test_a_crash_of_the_library_is_an_error_and_no_crash_here(answers, monkeypatch):
    crash = "import os, signal, sys; sys.stdin.buffer.read(); os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.setattr("descend.tables.formats.stata_spss.READ", crash)
    with pytest.raises(TableError) as error:
        read(str(answers))
    assert error.value.code == "table.damaged"
    assert "SIGSEGV" in str(error.value)


@pytest.mark.slow
def test_a_model_is_fitted_and_its_predictions_are_written_to_files_of_statistics_programs(tmp_path, capsys):
    frame = pl.DataFrame({"y": np.arange(40) * 0.5 + 1, "x": np.arange(40) % 7, "g": ["가", "b"] * 20})
    model = descend.fit("y ~ x + g", frame, test="none")
    for ending in (".dta", ".sav", ".zsav"):
        source, out = tmp_path / f"in{ending}", tmp_path / f"out{ending}"
        written_sample(source, frame)
        kept = str(tmp_path / "m.safetensors")
        assert main(["fit", str(source), "y ~ x + g", "--test", "none", "--out", kept]) == 0
        np.testing.assert_allclose(descend.load(kept).predict(frame), model.predict(frame), rtol=1e-9)
        assert main(["predict", kept, str(source), "--out", str(out)]) == 0
        capsys.readouterr()
        again = read(str(out))
        assert again.columns[:3] == ["y", "x", "g"]
        np.testing.assert_allclose(again.numbers(again.columns[3]), model.predict(frame), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".dta", ".sav", ".zsav"])
def test_declared_levels_are_written_as_labels_of_codes_and_keep_their_order(ending, tmp_path):
    levels = pl.Series("size", ["small", None, "large", "medium"], dtype=pl.Enum(["small", "medium", "large", "huge"]))
    written_sample(tmp_path / f"out{ending}", levels.to_frame())
    again = read(str(tmp_path / f"out{ending}"))
    assert again.frame["size"].to_list() == levels.to_list()
    assert again.declared("size") == ("small", "medium", "large", "huge")


def test_names_that_no_variable_has_are_changed_and_kept_as_labels(tmp_path):
    import pyreadstat

    names = ["y (95%)", "y [95%]", "Y__95__", "1st", "가 나", "a" * 40, "a" * 41]
    written_sample(tmp_path / "out.dta", pl.DataFrame({name: [1.0] for name in names}))
    _, about = pyreadstat.read_dta(str(tmp_path / "out.dta"), output_format="polars")
    assert about.column_labels == names
    assert about.column_names[:5] == ["y_95", "y_95_2", "Y__95__", "v1st", "가_나"]
    assert len({name.lower() for name in about.column_names}) == len(names)
    assert max(map(len, about.column_names)) == 32


@pytest.mark.slow
def test_the_studio_reads_a_file_of_a_statistics_program(answers):
    from descend.studio.worker.session import Bench

    kinds = {column.name: column.kind for column in Bench(1000).open(str(answers)).profile.columns}
    assert (kinds["score"], kinds["level"], kinds["age"]) == ("number", "text", "number")
