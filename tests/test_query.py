"""Queries as scans: rows in one order, typed columns, read only, and errors that say what and never a password."""

from __future__ import annotations

import gc
import math
import subprocess
import sys
import time
from datetime import date, datetime

import numpy as np
import polars as pl
import psycopg
import pytest
from database_fixtures import PASSWORD

from descend.base.errors import TableError
from descend.tables.databases import query as queries
from descend.tables.databases.query import open_query

ROWS = [(number, (number * 7919) % 1000 / 8, "xyz"[number % 3]) for number in range(1000)]
TYPES = {"id": "int", "value": "real", "group": "text"}


def frame_of(scan, columns):
    return pl.concat([part.table().frame for part in scan.parts(columns)])


def refusal(address, query):
    with pytest.raises(TableError) as caught:
        open_query(address, query)
    return caught.value


def everything_told(error):
    """Return all that a person could come to see of an error, what it came from among it."""
    told = ""
    while error is not None:
        told += f"{error} {error!r} {getattr(error, 'values', '')}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return told


def test_rows_come_in_the_querys_order_in_parts_that_know_their_first_row(place, monkeypatch):
    monkeypatch.setattr(queries, "BATCH", 300)
    place.fill("t", TYPES, ROWS)
    with open_query(place.address, "select * from t order by value desc, id;") as scan:
        parts = list(scan.parts(["group", "id"]))
        assert [(part.first, part.rows) for part in parts] == [(0, 300), (300, 300), (600, 300), (900, 100)]
        expected = sorted(ROWS, key=lambda row: (-row[1], row[0]))
        assert [row for part in parts for row in part.table().frame.rows()] == [(row[2], row[0]) for row in expected]
        assert parts[1].table().line(0) == 301
        assert (scan.rows, scan.scattered, scan.head.columns) == (1000, False, ["id", "value", "group"])
        assert frame_of(scan, ["id", "value", "group"]).rows() == scan.head.frame.rows()


def test_rows_have_one_order_whatever_columns_are_read_and_whatever_indexes_there_are(place):
    place.fill("t", TYPES | {"long": "text"}, [(*row, "x" * 500) for row in ROWS])
    place.run('create index narrow on t (value, "group")', 'create index thin on t ("group")')
    if place.dialect == "postgresql":
        with psycopg.connect(place.address, autocommit=True) as connection:
            connection.execute("vacuum analyze t")
    assert place.ask('select "group" from t') != [(row[2],) for row in ROWS]  # but in the order of an index
    for query in ("select * from t", "select a.*, b.id as other from t as a join t as b on a.value = b.value"):
        with open_query(place.address, query) as scan:
            whole = frame_of(scan, scan.head.columns)
            for columns in (["group"], ["value"], ["group", "value"], ["id"]):
                assert frame_of(scan, columns).equals(whole.select(columns))
            numbers = scan.database.ask(f"select {scan.database.row}, q.id from {scan.database.source}")
            assert numbers == list(enumerate(whole["id"]))


def test_the_planner_leaves_no_column_of_a_query_out(postgresql):
    postgresql.fill("t", TYPES, ROWS)
    with open_query(postgresql.address, "select * from t") as scan:
        plan = scan.database.ask(f"explain (verbose, costs off) select sum(q.value) from {scan.database.source}")
    assert any('Output: t.id, t.value, t."group"' in line for (line,) in plan)


def test_postgresqls_types_are_numbers_truth_text_and_dates(postgresql):
    columns = {
        "small": "3::smallint", "big": "9007199254740993", "exact": "1.25::numeric", "half": "0.5::real",
        "nan": "'NaN'::float8", "truth": "true", "word": "'a'::varchar(3)", "code": "'b'::char(3)", "none": "null::int",
        "day": "date '2020-02-29'", "never": "'infinity'::date", "ancient": "date '0044-03-15 BC'",
        "moment": "timestamptz '2020-01-01 09:00+09'", "list": "array[1, 2]", "tree": "'{\"a\": 1}'::jsonb",
    }  # fmt: skip
    query = "select " + ", ".join(f'{value} as "{name}"' for name, value in columns.items())
    with open_query(postgresql.address, query) as scan:
        row = scan.head.frame.row(0, named=True)
        kinds = {name: scan.head.kind(name) for name in columns}
        assert frame_of(scan, list(columns)).schema == scan.head.frame.schema
    assert math.isnan(row.pop("nan"))
    assert row == {
        "small": 3, "big": 9007199254740993, "exact": 1.25, "half": 0.5, "truth": True, "word": "a", "code": "b",
        "none": None, "day": date(2020, 2, 29), "never": None, "ancient": None, "moment": datetime(2020, 1, 1),
        "list": "{1,2}", "tree": '{"a": 1}',
    }  # fmt: skip
    assert [name for name, kind in kinds.items() if kind == "number"] == [
        "small",
        "big",
        "exact",
        "half",
        "nan",
        "none",
    ]
    assert [name for name, kind in kinds.items() if kind == "other"] == ["day", "never", "ancient", "moment"]
    assert kinds["truth"] == "boolean"


def test_sqlites_cells_are_numbers_or_text_as_the_first_rows_are(sqlite):
    rows = [(1, 1, "a", b"\0", None), (2.5, 2, 7, b"\1", None), (None, None, 2.0, None, None)]
    sqlite.fill("t", dict.fromkeys(("x", "n", "word", "bytes", "none"), ""), rows)
    with open_query(f"sqlite:///{sqlite.address}", "select * from t") as scan:
        frame = scan.head.frame
        assert scan.name == "school.db"
    assert frame.schema == {"x": pl.Float64, "n": pl.Int64, "word": pl.String, "bytes": pl.Binary, "none": pl.Null}
    assert frame["word"].to_list() == ["a", "7", "2"]
    assert frame["x"].to_list() == [1.0, 2.5, None]


def test_a_text_far_down_in_a_column_of_numbers_is_named_with_its_row(sqlite):
    sqlite.fill("t", {"x": ""}, [*((number,) for number in range(60_000)), ("12",), ("many",)])
    with open_query(sqlite.address, "select x from t") as scan:
        *_, last = scan.parts(["x"])
        with pytest.raises(TableError) as caught:
            last.table().numbers("x")
    assert (caught.value.code, caught.value.line, caught.value.values["found"]) == ("table.bad-cell", 60_002, "many")


HOSTILE = ['a"; drop table t; --', "점수", "q", "row", "row_", "key", "x'y", "select", "%s", "{0}", "c0", ")", "\\"]


def test_columns_of_any_name_are_read_and_nothing_in_a_name_is_run(place):
    place.fill("t", dict.fromkeys(HOSTILE, "int"), [tuple(range(len(HOSTILE)))] * 3)
    with open_query(place.address, "select * from t") as scan:
        for index, name in enumerate(HOSTILE):
            assert frame_of(scan, [name])[name].to_list() == [index] * 3
        assert scan.head.columns == HOSTILE
        assert scan.database.ask(f"select sum({scan.database.row}) from {scan.database.source}")[0][0] == 3
    assert place.ask("select count(*) from t") == [(3,)]


REFUSED = [
    ("", "query-needed"),
    (" ; ", "query-needed"),
    ("insert into t values (1, 1, 'a')", "query-not-select"),
    ("/* select */ delete from t", "query-not-select"),
    ("selec id from t", "query-not-select"),
    ("select id from t; drop table t", "query-several"),
    ("select id from t where false", "query-no-rows"),
    ("select id, value as id from t", "repeated-column"),
    ("select id from t) as q; drop table t; --", "query"),
    ("select nothing from t", "query"),
    ("select id from t where id = $1", "query"),
    ("select 'a\0b' as a", "query"),
]


@pytest.mark.parametrize(("query", "code"), REFUSED)
def test_a_query_that_cannot_be_is_refused_and_changes_nothing(place, query, code):
    place.fill("t", TYPES, ROWS[:5])
    assert refusal(place.address, query).code in (f"table.{code}", f"table.{code}-at")
    assert place.ask("select count(*) from t") == [(5,)]


def test_postgresql_says_where_in_the_query_it_went_wrong(postgresql):
    postgresql.fill("t", TYPES, ROWS[:5])
    error = refusal(postgresql.address, "select id,\n  nothing from t")
    assert (error.code, error.line, error.values["character"]) == ("table.query-at", 2, 3)
    assert '"nothing" does not exist' in str(error)


@pytest.mark.parametrize(
    "query",
    [
        "with made as (insert into t values (9, 9, 'n') returning id) select id from made",
        "select nextval('counter') as id",
    ],
)
def test_a_select_that_changes_something_is_refused_by_postgresql(postgresql, query):
    postgresql.fill("t", TYPES, ROWS[:5])
    postgresql.run("create sequence counter")
    assert refusal(postgresql.address, query).code == "table.query-changes"
    assert postgresql.ask("select count(*) from t") == [(5,)]
    assert postgresql.ask("select is_called from counter") == [(False,)]


def test_a_query_that_would_let_itself_write_is_refused(postgresql):
    error = refusal(postgresql.address, "select set_config('transaction_read_only', 'off', false) as x")
    assert "read-write mode must be set before any query" in str(error)


def test_an_insert_behind_a_with_is_refused_by_sqlite(sqlite):
    sqlite.fill("t", TYPES, ROWS[:5])
    error = refusal(sqlite.address, "with x as (select 1) insert into t (id) select 1")
    assert error.code == "table.query-changes"
    assert sqlite.ask("select count(*) from t") == [(5,)]


def test_a_column_without_a_name_is_told(sqlite):
    assert refusal(sqlite.address, 'select 1 as a, 2 as ""').values["number"] == 2


@pytest.mark.parametrize("query", ["select 1 as a -- of a", "select 1 as a; -- last", "/* one */ select 1 as a ;;\n"])
def test_comments_and_a_last_semicolon_are_of_no_account(place, query):
    with open_query(place.address, query) as scan:
        assert scan.head.frame.rows() == [(1,)]


def test_a_query_that_fails_far_down_is_told_when_it_gets_there(postgresql):
    query = "select 1 / (60000 - n) as x from generate_series(1, 90000) as n"
    with open_query(postgresql.address, query) as scan, pytest.raises(TableError, match="division by zero"):
        list(scan.parts(["x"]))


def test_a_query_with_other_rows_every_time_is_told(place):
    place.fill("t", TYPES, ROWS)
    chance = "random() < 0.5" if place.dialect == "postgresql" else "random() % 2"
    with open_query(place.address, f"select * from t where {chance}") as scan, pytest.raises(TableError) as caught:
        [list(scan.parts(["id"])) for _ in range(20)]  # now and then there are as many by chance
    assert caught.value.code == "table.query-unsteady"


def test_rows_that_come_while_a_scan_is_open_are_not_seen(place):
    place.fill("t", TYPES, ROWS)
    if place.dialect == "sqlite":
        place.run("pragma journal_mode = wal")
    with open_query(place.address, "select id from t") as scan:
        place.run("insert into t select * from t")
        assert sum(part.rows for part in scan.parts(["id"])) == 1000
        again = open_query(place.address, "select id from t")
        assert again.rows == 2000
        assert again.mark != scan.mark
        again.close()


def test_a_mark_tells_queries_apart_and_holds_no_password(place):
    place.fill("t", TYPES, ROWS)
    marks = []
    for query in ("select * from t", "select * from t", "select * from t order by value"):
        with open_query(place.address, query) as scan:
            marks.append(scan.mark)
            assert PASSWORD not in f"{scan!r} {vars(scan.database)} {scan.name}"
    assert marks[0] == marks[1] != marks[2]


def test_a_wrong_password_is_told_without_it(postgresql):
    error = refusal(postgresql.address.replace(PASSWORD, "wr0ng-w0rd"), "select 1 as a")
    assert error.code == "table.query-login"
    assert "wr0ng-w0rd" not in everything_told(error)
    assert "127.0.0.1" in str(error)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("postgresql://me:p@ssw0rd@127.0.0.1:1/shop", "query-address"),
        ("postgresql://me:ssw0rd/p@127.0.0.1:1/shop", "query-address"),
        ("postgresql://me:12/ssw0rd@127.0.0.1:1/shop", "query-address"),
        ("postgresql://me:ssw0rd%@127.0.0.1:1/shop", "query-address"),
        ("postgresql://127.0.0.1:1/shop?pass=ssw0rd", "query-address"),
        ("postgresql://me:ssw0rd@127.0.0.1:1/shop", "query-connect"),
        ("postgres://127.0.0.1:1/shop?password=ssw0rd", "query-connect"),
        ("mysql://me:ssw0rd@127.0.0.1/shop", "query-scheme"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_without_its_password(address, code):
    error = refusal(address, "select 1 as a")
    assert error.code == f"table.{code}"
    assert "ssw0rd" not in everything_told(error)


def test_a_database_that_is_not_there_is_told(postgresql):
    error = refusal(postgresql.address.removesuffix("/postgres") + "/nowhere", "select 1 as a")
    assert error.code == "table.query-connect"
    assert '"nowhere" does not exist' in str(error)


def test_files_that_are_no_databases_are_told(tmp_path):
    (tmp_path / "t.db").write_text("not a database, but long enough to be looked at as one " * 20)
    assert refusal(str(tmp_path / "t.db"), "select 1 as a").code == "table.damaged"
    assert refusal(str(tmp_path / "u.db"), "select 1 as a").code == "table.not-found"
    assert refusal(f"sqlite:///{tmp_path}", "select 1 as a").code == "table.folder"
    assert not (tmp_path / "u.db").exists()


def test_a_connection_lost_midway_is_told(postgresql, monkeypatch):
    monkeypatch.setattr(queries, "BATCH", 1000)
    with open_query(postgresql.address, "select n, repeat('x', 500) as s from generate_series(1, 50000) as n") as scan:
        parts = scan.parts(["n", "s"])
        assert next(parts).rows == 1000
        ended = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'descend'"
        assert postgresql.ask(ended) == [(True,)]
        with pytest.raises(TableError) as caught:
            list(parts)
        assert caught.value.code == "table.query-lost"
        with pytest.raises(TableError) as caught:
            scan.database.ask("select 1")
        assert caught.value.code == "table.query-lost"
    assert PASSWORD not in everything_told(caught.value)


def test_a_query_that_the_server_stops_is_told(postgresql):
    address = f"{postgresql.address}?options=-c%20statement_timeout%3D100ms"
    error = refusal(address, "select pg_sleep(20) as x")
    assert error.code == "table.query"
    assert "statement timeout" in str(error)


def connections(postgresql):
    """Return how many connections of ours the server has; one that was closed it forgets a little later."""
    for _ in range(100):
        count = postgresql.ask("select count(*) from pg_stat_activity where application_name = 'descend'")[0][0]
        if not count:
            break
        time.sleep(0.05)
    return count


@pytest.mark.slow
def test_a_connection_is_closed_by_close_by_with_and_with_the_last_that_uses_it(postgresql):
    query = "select n from generate_series(1, 100) as n"
    scan = open_query(postgresql.address, query)
    scan.close()
    scan.close()
    assert connections(postgresql) == 0
    with pytest.raises(TableError) as caught:
        list(scan.parts(["n"]))
    assert caught.value.code == "table.query-lost"
    with open_query(postgresql.address, query):
        pass
    assert connections(postgresql) == 0
    parts = open_query(postgresql.address, query).parts(["n"])
    assert next(parts).rows == 100
    del parts
    gc.collect()
    assert connections(postgresql) == 0
    refusal(postgresql.address, "select nothing")
    gc.collect()
    assert connections(postgresql) == 0


def test_a_closed_file_is_told(sqlite):
    scan = open_query(sqlite.address, "select 1 as a")
    scan.close()
    with pytest.raises(TableError) as caught:
        list(scan.parts(["a"]))
    assert caught.value.code == "table.query-lost"


def test_without_the_driver_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    error = refusal("postgresql://127.0.0.1:1/shop", "select 1 as a")
    assert error.code == "table.needs-extra"
    assert 'pip install "descend[sql]"' in str(error)


def test_the_driver_is_imported_only_where_it_is_used():
    code = "import sys, descend.fitting.survey.pushdown; sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_missing_cells_are_missing(place):
    place.fill("t", TYPES, [(1, None, "NA"), (None, 2.0, None), (3, 4.0, " b ")])
    with open_query(place.address, "select * from t", missing=("NA",)) as scan:
        table = next(scan.parts(["id", "value", "group"])).table()
        assert np.isnan(table.numbers("value")).tolist() == [True, False, False]
        assert np.isnan(table.numbers("id")).tolist() == [False, True, False]
        assert table.labels("group").to_list() == [None, None, "b"]
