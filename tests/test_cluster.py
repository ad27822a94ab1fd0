"""Parts read and held by workers in other processes, and what a person is told of a cluster that cannot be had."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from functools import partial
from operator import methodcaller
from pathlib import Path

import numpy as np
import pytest
from cluster_fixtures import (  # noqa: F401
    W,
    found_by_workers_fixture,
    joined,
    local_fixture,
    make_scan,
    marks_fixture,
    processes_fixture,
    same,
    scan_fixture,
    scheduler_fixture,
)
from cluster_tasks import COLUMNS, Making, Numbered, exits, first_of, grows, value_of

from descend.base.double_double import pair
from descend.base.errors import ClusterError, OptionError, TableError
from descend.base.reductions import pairs, round_totals
from descend.tables.cluster import _tasks, connect

pytestmark = pytest.mark.slow

PARTS = 8


# What the workers give


def test_parts_are_read_in_their_order(local):
    parts = [Numbered(index) for index in range(40)]
    assert list(local.each(first_of, parts)) == list(range(40))
    assert list(local.each(first_of, iter(()))) == []


def test_a_holding_is_asked_part_by_part_and_in_sum(local, scan, marks):
    held = local.hold(Making(marks), scan.parts(COLUMNS))
    asked = list(held.ask(methodcaller("value_and_gradient", W)))
    here = [Making(marks)(part).value_and_gradient(W) for part in scan.parts(COLUMNS)]
    assert [value for value, _ in asked] == [value for value, _ in here]
    total = held.total(methodcaller("value_and_gradient", W))
    expected = round_totals(_tasks.tree([pairs(answer) for answer in here]))
    assert same(total, expected)
    held.release()


@pytest.mark.parametrize("count", [1, 3, 16, 17, 40])
def test_a_total_is_that_of_one_tree_whatever_the_workers(local, count):
    parts = [Numbered(index) for index in range(count)]
    expected = round_totals(_tasks.tree([pairs(value_of(part).number()) for part in parts]))
    held = local.hold(value_of, parts)
    assert same(held.total(methodcaller("number")), expected)
    held.release()


def test_a_tree_of_many_levels_is_the_same_to_the_bit_on_one_worker_and_on_two(local):
    parts = [Numbered(index) for index in range(300)]
    expected = round_totals(_tasks.tree([pairs(value_of(part).number()) for part in parts]))
    held = local.hold(value_of, parts)
    assert same(held.total(methodcaller("number")), expected)
    held.release()
    with connect("local:1") as one:
        assert same(one.hold(value_of, parts).total(methodcaller("number")), expected)


def test_a_sum_has_twice_the_digits_so_that_the_cut_into_parts_does_not_show():
    values = np.random.default_rng(0).normal(size=1600) * 10.0 ** np.arange(1600).reshape(16, 100).T.ravel()[:1600] ** 0
    values[::7] *= 1e14
    whole = round_totals(_tasks.tree([(pair(np.array(v)),) for v in values]))
    halves = round_totals(_tasks.tree([(pair(np.array(v)),) for v in values[::-1]]))
    assert whole[0] == halves[0]


def test_a_sum_that_overflows_is_infinite_and_whole_numbers_stay_whole():
    huge = (np.array([1e308, -1e308, 1.0]), np.array([2**60]))
    total = round_totals(_tasks.tree([pairs(huge)] * 3))
    assert total[0].tolist() == [np.inf, -np.inf, 3.0]
    assert total[1].dtype == np.int64
    assert total[1][0] == 3 * 2**60


def test_a_large_argument_travels_once_and_is_had_again(local, scan, marks):
    held = local.hold(Making(marks), scan.parts(COLUMNS))
    large = np.arange(50_000.0)
    assert same(held.total(methodcaller("large", large)), (large * scan.rows,))
    assert len(list(held.ask(methodcaller("large", large)))) == PARTS
    held.release()


def test_a_large_task_travels_once(local):
    assert list(local.each(partial(first_of_many, np.zeros(50_000)), [Numbered(3)])) == [(3, 50_000)]


# What goes wrong in a task


def test_an_error_of_the_table_arrives_as_itself(local, tmp_path, marks):
    scan = make_scan(tmp_path, files=4)
    (tmp_path / "002.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(TableError) as caught:
        local.hold(Making(marks), scan.parts(COLUMNS))
    assert (caught.value.code, caught.value.values["file"]) == ("table.damaged", "002.parquet")
    with pytest.raises(TableError) as again:
        list(local.each(Making(marks), scan.parts(COLUMNS)))
    assert again.value.code == caught.value.code


def test_any_other_error_names_the_part(local, scan, marks):
    held = local.hold(Making(marks), scan.parts(COLUMNS))
    for ask in (
        partial(held.total, methodcaller("fails_at", 300.0)),
        lambda: list(held.ask(methodcaller("fails_at", 300.0))),
    ):
        with pytest.raises(ClusterError) as caught:
            ask()
        assert caught.value.code == "cluster.task-failed"
        values = caught.value.values
        assert (values["part"], values["first"], values["last"]) == (4, 301, 400)
        assert "RuntimeError: the disk is on fire" in caught.value.tell()
    assert same(held.total(methodcaller("fails_at", -1.0)), (np.array(8.0),))
    held.release()


def test_a_part_that_ends_its_workers_is_named(processes):
    with joined(processes, 4) as cluster, pytest.raises(ClusterError) as caught:
        list(cluster.each(exits, [Numbered(0, rows=10)]))
    assert (caught.value.code, caught.value.values["part"]) == ("cluster.memory", 1)


def test_memory_that_is_too_small_is_told_with_what_to_do():
    with connect("local:1", memory=400_000_000) as cluster, pytest.raises(ClusterError) as caught:
        list(cluster.each(grows, [Numbered(0, rows=10)]))
    assert caught.value.code == "cluster.memory"
    assert "--partitions" in caught.value.hint()


# Addresses


@pytest.mark.parametrize("where", ["local:0", "local:x", "tcp://host", "http://host:1", "", 3])
def test_what_is_no_address_is_refused(where):
    with pytest.raises(OptionError) as caught:
        connect(where)
    assert caught.value.code == "cluster.address"


def test_an_address_at_which_nobody_listens_is_told(monkeypatch):
    monkeypatch.setattr("descend.tables.cluster.connection.ANSWER", 1.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ClusterError) as caught:
            connect(address)
    assert (caught.value.code, caught.value.values["address"]) == ("cluster.unreachable", address)


def test_an_address_at_which_something_else_listens_is_told(monkeypatch):
    monkeypatch.setattr("descend.tables.cluster.connection.ANSWER", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(ClusterError) as caught:
            connect(f"tcp://127.0.0.1:{silent.getsockname()[1]}")
    assert caught.value.code == "cluster.unreachable"


def test_a_scheduler_without_workers_is_told(processes):
    with pytest.raises(ClusterError) as caught:
        connect(processes.address, patience=0.5)
    assert caught.value.code == "cluster.no-workers"


@pytest.mark.parametrize(
    ("program", "code"),
    [('__version__ = "0.0.1"', "cluster.versions"), ("raise ModuleNotFoundError", "cluster.no-descend")],
)
def test_workers_with_another_descend_or_none_are_refused(processes, tmp_path, program, code):
    package = tmp_path / "other" / "descend"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(program)
    processes.worker(path=package.parent)
    with pytest.raises(ClusterError) as caught:
        connect(processes.address)
    assert caught.value.code == code
    assert caught.value.values["count"] == 1


def test_a_client_of_dask_is_used_and_left_open(processes):
    from distributed import Client

    processes.worker()
    with Client(processes.address, set_as_default=False) as client:
        with connect(client) as cluster:
            assert list(cluster.each(first_of, [Numbered(7)])) == [7]
        assert client.status == "running"


def test_without_dask_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(OptionError) as caught:
        connect("local:1")
    assert caught.value.code == "cluster.needs-extra"
    assert "descend[cluster]" in caught.value.hint()


def test_descend_is_imported_without_dask():
    program = """import sys, descend.tables.cluster, descend.tables.scans.dask
print({'distributed', 'dask'} & set(sys.modules))"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert (
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True).stdout
        == "set()\n"
    )


# Scripts


def run_script(folder, text):
    """Run a script as a person does, in a process group of its own; returns what it printed."""
    (folder / "script.py").write_text(text)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, str(folder / "script.py")]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, start_new_session=True, timeout=60)
    return ran.stdout, ran.stderr


def test_ctrl_c_in_a_terminal_ends_local_workers_without_a_word(tmp_path):
    text = """
import os, signal
from cluster_tasks import Numbered, sleeps
from descend.tables.cluster import connect
if __name__ == "__main__":
    try:
        with connect("local:1") as cluster:
            held = cluster.each(sleeps, [Numbered(index) for index in range(20)])
            next(held)
            os.killpg(0, signal.SIGINT)
            list(held)
    except KeyboardInterrupt:
        print("interrupted")
"""
    assert run_script(tmp_path, text) == ("interrupted\n", "")


def test_a_script_that_its_workers_would_run_again_is_told_what_to_do(tmp_path):
    text = """
from descend.tables.cluster import connect
from descend.base.errors import ClusterError
try:
    connect("local:1")
except ClusterError as error:
    print(error.hint())
"""
    out, error = run_script(tmp_path, text)
    assert 'if __name__ == "__main__":' in out
    assert error == ""


def first_of_many(many, part):
    return part.first, len(many)
