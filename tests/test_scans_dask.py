"""A Dask dataframe as a scan: its partitions are computed where they are read."""

from __future__ import annotations

import os
from operator import methodcaller

import numpy as np
import pytest
from cluster_fixtures import (  # noqa: F401
    W,
    found_by_workers_fixture,
    local_fixture,
    marks_fixture,
    same,
)
from cluster_tasks import COLUMNS, Making, table_of, who_read

from descend.base.errors import TableError
from descend.base.reductions import pairs, round_totals
from descend.tables.cluster import _tasks
from descend.tables.executors import Threads
from descend.tables.scans.dask import DaskScan


def dask_frame(partitions=4):
    import dask.dataframe
    import pandas

    random = np.random.default_rng(5)
    columns = {"a": np.arange(400.0), "b": random.normal(size=400), "y": random.normal(size=400)}
    frame = pandas.DataFrame(columns | {"c": list("uv") * 200})
    return dask.dataframe.from_pandas(frame, npartitions=partitions, sort=False)


@pytest.mark.slow
def test_a_dask_dataframe_is_a_scan_whose_partitions_are_computed_by_workers(local, marks):
    frame = dask_frame()
    frame = frame[frame.a != 150]
    scan = DaskScan.of(frame, "frame", ("NA",), local)
    assert (scan.rows, scan.head.columns, scan.head.kind("c")) == (399, ["a", "b", "y", "c"], "text")
    parts = list(scan.parts(COLUMNS))
    assert [(part.first, part.rows) for part in parts] == [(0, 100), (100, 99), (199, 100), (299, 100)]
    assert list(local.each(who_read, parts)).count(os.getpid()) == 0
    held = local.hold(Making(marks), parts)
    here = [Making(marks)(part).value_and_gradient(W) for part in scan.parts(COLUMNS)]
    assert same(
        held.total(methodcaller("value_and_gradient", W)), round_totals(_tasks.tree([pairs(answer) for answer in here]))
    )
    held.release()
    again = DaskScan.of(frame, "frame", ("NA",), Threads())
    assert (again.mark, again.counts) == (scan.mark, scan.counts)


def test_partitions_that_are_empty_are_left_out_and_a_frame_without_rows_is_refused(local):
    frame = dask_frame()
    scan = DaskScan.of(frame[frame.a >= 250], "frame", (), local)
    assert [(part.first, part.rows) for part in scan.parts(["a"])] == [(0, 50), (50, 100)]
    assert scan.head.frame["a"][0] == 250
    with pytest.raises(TableError) as caught:
        DaskScan.of(frame[frame.a < 0], "frame", (), local)
    assert caught.value.code == "table.no-rows"


@pytest.mark.slow
@pytest.mark.parametrize("kept", [False, True], ids=["shuffled", "held by the cluster"])
def test_partitions_made_of_others_rows_are_computed_once_and_brought(local, kept):
    frame = dask_frame()
    with local.link.client.as_current():
        frame = frame.persist() if kept else frame.shuffle("c", shuffle_method="tasks")
        scan = DaskScan.of(frame, "frame", (), local)
    tables = list(local.each(table_of, scan.parts(["a", "c"])))
    assert sorted(value for table in tables for value in table["a"]) == [float(index) for index in range(400)]
    assert all(table.columns == ["a", "c"] for table in tables)


@pytest.mark.slow
def test_a_partition_that_fails_is_named(local):
    def spoilt(frame, partition_info=None):
        if partition_info and partition_info["number"] == 2:
            raise OSError("no such bucket")
        return frame

    frame = dask_frame()
    with pytest.raises(TableError) as caught:
        DaskScan.of(frame.map_partitions(spoilt, meta=frame._meta), "frame", (), local)
    assert (caught.value.code, caught.value.values["file"]) == ("table.damaged", "frame[2]")
    assert "no such bucket" in caught.value.tell()
