"""Workers in other processes, on other hosts, and what becomes of a pass where they are killed, hang or are lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cluster_fixtures import (
    COLUMNS,
    Making,
    Numbered,
    Processes,
    Striking,
    exits,
    first_of,
    grows,
    make_scan,
    table_of,
    value_of,
    wait_until,
    who_read,
)

from descend.cluster import connect, tasks
from descend.errors import ClusterError, OptionError, TableError
from descend.extended import pair
from descend.scans.dask import DaskScan
from descend.workers import Threads

W = np.array([0.5, 1.0, -2.0, 3.0])
PARTS = 8


def same(found, expected):
    return all(a.tobytes() == b.tobytes() for a, b in zip(found, expected, strict=True))


@pytest.fixture(scope="module", autouse=True)
def found_by_workers():
    """Local workers look for modules where this process does."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *([before] if before else [])])
    yield
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    return make_scan(tmp_path_factory.mktemp("rows"))


@pytest.fixture(scope="module")
def local(found_by_workers):
    with connect("local:2", patience=20) as cluster:
        yield cluster


@pytest.fixture
def marks(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return str(folder)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    started = Processes(tmp_path_factory.mktemp("processes"))
    yield started
    started.end()


@pytest.fixture
def processes(scheduler):
    yield scheduler
    scheduler.end_workers()


@contextmanager
def joined(processes, workers, patience=30):
    """Start workers, wait until they are there, and from then on with so many seconds' patience."""
    for _ in range(workers):
        processes.worker()
    with connect(processes.address) as cluster:
        wait_until(lambda: cluster.workers >= workers)
        cluster.link.patience = patience
        yield cluster


@pytest.fixture(scope="module")
def undisturbed(scan, local, tmp_path_factory):
    held = local.hold(Making(str(tmp_path_factory.mktemp("marks"))), scan.parts(COLUMNS))
    total = held.total("value_and_gradient", W)
    held.release()
    return total


# What the workers give


def test_parts_are_read_in_their_order(local):
    parts = [Numbered(index) for index in range(40)]
    assert list(local.each(first_of, parts)) == list(range(40))
    assert list(local.each(first_of, iter(()))) == []


def test_a_holding_is_asked_part_by_part_and_in_sum(local, scan, marks):
    held = local.hold(Making(marks), scan.parts(COLUMNS))
    asked = list(held.ask("value_and_gradient", W))
    here = [Making(marks)(part).value_and_gradient(W) for part in scan.parts(COLUMNS)]
    assert [value for value, _ in asked] == [value for value, _ in here]
    total = held.total("value_and_gradient", W)
    expected = tasks.rounded(tasks.tree([tasks.pairs(answer) for answer in here]))
    assert same(total, expected)
    held.release()


@pytest.mark.parametrize("count", [1, 3, 16, 17, 40])
def test_a_total_is_that_of_one_tree_whatever_the_workers(local, count):
    parts = [Numbered(index) for index in range(count)]
    expected = tasks.rounded(tasks.tree([tasks.pairs(value_of(part).number()) for part in parts]))
    held = local.hold(value_of, parts)
    assert same(held.total("number"), expected)
    held.release()


def test_a_tree_of_many_levels_is_the_same_to_the_bit_on_one_worker_and_on_two(local):
    parts = [Numbered(index) for index in range(300)]
    expected = tasks.rounded(tasks.tree([tasks.pairs(value_of(part).number()) for part in parts]))
    held = local.hold(value_of, parts)
    assert same(held.total("number"), expected)
    held.release()
    with connect("local:1") as one:
        assert same(one.hold(value_of, parts).total("number"), expected)


def test_a_sum_has_twice_the_digits_so_that_the_cut_into_parts_does_not_show():
    values = np.random.default_rng(0).normal(size=1600) * 10.0 ** np.arange(1600).reshape(16, 100).T.ravel()[:1600] ** 0
    values[::7] *= 1e14
    whole = tasks.rounded(tasks.tree([(pair(np.array(v)),) for v in values]))
    halves = tasks.rounded(tasks.tree([(pair(np.array(v)),) for v in values[::-1]]))
    assert whole[0] == halves[0]


def test_a_sum_that_overflows_is_infinite_and_whole_numbers_stay_whole():
    huge = (np.array([1e308, -1e308, 1.0]), np.array([2**60]))
    total = tasks.rounded(tasks.tree([tasks.pairs(huge)] * 3))
    assert total[0].tolist() == [np.inf, -np.inf, 3.0]
    assert total[1].dtype == np.int64
    assert total[1][0] == 3 * 2**60


def test_a_large_argument_travels_once_and_is_had_again(local, scan, marks):
    held = local.hold(Making(marks), scan.parts(COLUMNS))
    large = np.arange(50_000.0)
    assert same(held.total("large", large), (large * scan.rows,))
    assert len(list(held.ask("large", large))) == PARTS
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
    for ask in (partial(held.total, "fails_at", 300.0), lambda: list(held.ask("fails_at", 300.0))):
        with pytest.raises(ClusterError) as caught:
            ask()
        assert caught.value.code == "cluster.task-failed"
        values = caught.value.values
        assert (values["part"], values["first"], values["last"]) == (4, 301, 400)
        assert "RuntimeError: the disk is on fire" in caught.value.tell()
    assert same(held.total("fails_at", -1.0), (np.array(8.0),))
    held.release()


@pytest.mark.slow
def test_a_part_that_ends_its_workers_is_named(processes):
    with joined(processes, 4) as cluster, pytest.raises(ClusterError) as caught:
        list(cluster.each(exits, [Numbered(0, rows=10)]))
    assert (caught.value.code, caught.value.values["part"]) == ("cluster.memory", 1)


@pytest.mark.slow
def test_memory_that_is_too_small_is_told_with_what_to_do():
    with connect("local:1", memory=400_000_000) as cluster, pytest.raises(ClusterError) as caught:
        list(cluster.each(grows, [Numbered(0, rows=10)]))
    assert caught.value.code == "cluster.memory"
    assert "--partitions" in caught.value.hint()


# Workers and schedulers that are killed, hang or are lost


def test_a_worker_killed_in_mid_pass_changes_no_bit(processes, scan, marks, undisturbed):
    with joined(processes, 2) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        with Striking(marks, after=2):
            assert same(held.total("slowly", W, 0.05), undisturbed)
        assert cluster.workers == 1
        assert same(held.total("value_and_gradient", W), undisturbed)


@pytest.mark.slow
def test_a_worker_killed_while_parts_are_made_changes_no_bit(processes, scan, marks, undisturbed):
    with joined(processes, 2) as cluster:
        with Striking(marks, after=2):
            held = cluster.hold(Making(marks, seconds=0.05), scan.parts(COLUMNS))
        assert same(held.total("value_and_gradient", W), undisturbed)
        with Striking(marks, after=2):
            threading.Timer(0.2, processes.worker).start()
            read = list(cluster.each(Making(marks, seconds=0.05), scan.parts(COLUMNS)))
        assert [len(sums.objective.X) for sums in read] == [100] * 8


@pytest.mark.slow
def test_a_worker_killed_in_each_of_five_passes_changes_no_bit(scan, marks, undisturbed):
    with connect("local:2") as cluster:  # whose workers are started again
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        for _ in range(5):
            with Striking(marks, after=2):
                assert same(held.total("slowly", W, 0.05), undisturbed)
        wait_until(lambda: cluster.workers == 2)
        wait_until(lambda: same(held.total("value_and_gradient", W), undisturbed) and len(held.places()) == 2)


@pytest.mark.slow
def test_a_worker_that_stands_still_is_passed_over(processes, scan, marks, undisturbed):
    with joined(processes, 2, patience=1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        with Striking(marks, signal.SIGSTOP, after=2) as striking:
            assert same(held.total("slowly", W, 0.05), undisturbed)
        assert cluster.workers == 1
        assert same(held.total("value_and_gradient", W), undisturbed)
        os.kill(striking.struck, signal.SIGCONT)


@pytest.mark.slow
def test_a_task_that_hangs_is_asked_of_another_worker(processes, scan, marks, undisturbed):
    with joined(processes, 2, patience=1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        assert same(held.total("stuck_once", W), undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("parts", [8, 40])
def test_what_a_worker_that_stands_still_has_made_is_made_again(processes, tmp_path, marks, parts):
    scan = make_scan(tmp_path, files=parts, rows=10)
    with joined(processes, 2, patience=1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        undisturbed = held.total("value_and_gradient", W)
        first = next(held.ask("process"))
        with Striking(marks, signal.SIGSTOP, after=1, of=first):  # it is done with its own parts by then
            assert same(held.total("last_slowly", W, 0.4, 10 * (parts - 2)), undisturbed)
        assert cluster.workers == 1


@pytest.mark.slow
def test_a_scheduler_that_stands_still_is_told(tmp_path, scan, marks):
    processes = Processes(tmp_path)
    with joined(processes, 1, patience=1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        with pytest.raises(ClusterError) as caught, Striking(marks, signal.SIGSTOP, of=processes.scheduler.pid):
            held.total("slowly", W, 0.2)
        assert caught.value.code == "cluster.lost"
    processes.end()


def test_where_all_workers_are_lost_new_ones_are_waited_for(processes, scan, marks, undisturbed):
    with joined(processes, 1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        with Striking(marks):
            threading.Timer(0.5, processes.worker).start()
            assert same(held.total("slowly", W, 0.05), undisturbed)


@pytest.mark.slow
def test_where_all_workers_are_lost_and_none_comes_it_is_told(processes, scan, marks):
    with joined(processes, 1, patience=1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        with pytest.raises(ClusterError) as caught, Striking(marks):
            held.total("slowly", W, 0.2)
    assert caught.value.code == "cluster.no-workers"


def test_a_lost_scheduler_is_told_by_its_address_and_nothing_else(tmp_path, scan, marks, capfd):
    processes = Processes(tmp_path)
    with joined(processes, 1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        with pytest.raises(ClusterError) as caught, Striking(marks, of=processes.scheduler.pid):
            held.total("slowly", W, 0.2)
        for ask in (partial(held.total, "slowly", W, 0.0), lambda: list(cluster.each(first_of, [Numbered(1)]))):
            with pytest.raises(ClusterError) as again:
                ask()
            assert again.value.code == "cluster.lost"
        held.release()
    assert (caught.value.code, caught.value.values) == ("cluster.lost", {"address": processes.address})
    assert capfd.readouterr() == ("", "")
    processes.end()


def test_an_interrupt_is_raised_onward_and_nothing_more_is_begun(processes, scan, marks):
    with joined(processes, 1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        with pytest.raises(KeyboardInterrupt), Striking(marks, signal.SIGINT, of=os.getpid()):
            held.total("slowly", W, 0.2)
        held.release()
        wait_until(lambda: not cluster.link.client.run_on_scheduler(count_tasks))


# Addresses


@pytest.mark.parametrize("where", ["local:0", "local:x", "tcp://host", "http://host:1", "", 3])
def test_what_is_no_address_is_refused(where):
    with pytest.raises(OptionError) as caught:
        connect(where)
    assert caught.value.code == "cluster.address"


def test_an_address_at_which_nobody_listens_is_told(monkeypatch):
    monkeypatch.setattr("descend.cluster.dialing.ANSWER", 1.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ClusterError) as caught:
            connect(address)
    assert (caught.value.code, caught.value.values["address"]) == ("cluster.unreachable", address)


def test_an_address_at_which_something_else_listens_is_told(monkeypatch):
    monkeypatch.setattr("descend.cluster.dialing.ANSWER", 1.0)
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
    (package / "__init__.py").touch()
    (package / "_version.py").write_text(program)
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
    program = (
        "import sys, descend, descend.cluster, descend.scans.dask; print({'distributed', 'dask'} & set(sys.modules))"
    )
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


def test_ctrl_c_in_a_terminal_ends_local_workers_without_a_word(tmp_path, marks):
    text = """
import os, signal
from cluster_fixtures import Numbered, sleeps
from descend.cluster import connect
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
from descend.cluster import connect
from descend.errors import ClusterError
try:
    connect("local:1")
except ClusterError as error:
    print(error.hint())
"""
    out, error = run_script(tmp_path, text)
    assert 'if __name__ == "__main__":' in out
    assert error == ""


# A Dask dataframe


def dask_frame(partitions=4):
    import dask.dataframe
    import pandas

    random = np.random.default_rng(5)
    columns = {"a": np.arange(400.0), "b": random.normal(size=400), "y": random.normal(size=400)}
    frame = pandas.DataFrame(columns | {"c": list("uv") * 200})
    return dask.dataframe.from_pandas(frame, npartitions=partitions, sort=False)


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
    assert same(held.total("value_and_gradient", W), tasks.rounded(tasks.tree(list(map(tasks.pairs, here)))))
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


@pytest.mark.parametrize("kept", [False, True], ids=["shuffled", "held by the cluster"])
def test_partitions_made_of_others_rows_are_computed_once_and_brought(local, kept):
    frame = dask_frame()
    with local.link.client.as_current():
        frame = frame.persist() if kept else frame.shuffle("c", shuffle_method="tasks")
        scan = DaskScan.of(frame, "frame", (), local)
    tables = list(local.each(table_of, scan.parts(["a", "c"])))
    assert sorted(value for table in tables for value in table["a"]) == [float(index) for index in range(400)]
    assert all(table.columns == ["a", "c"] for table in tables)


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


# Several hosts: each worker in a network namespace of its own, joined to the scheduler's by a pair of devices


def ip(*arguments):
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True)


@pytest.fixture
def hosts():
    """Two network namespaces, reached by addresses of their own."""
    names = [f"descend-{os.getpid()}-{index}" for index in (0, 1)]
    bridge = f"dsc{os.getpid()}"[:13]
    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", bridge, "type", "bridge")
        ip("addr", "add", "10.213.77.1/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        for index, name in enumerate(names):
            here, there = f"{bridge}{index}", f"{bridge}{index}p"
            ip("link", "add", here, "type", "veth", "peer", "name", there)
            ip("link", "set", here, "master", bridge, "up")
            ip("link", "set", there, "netns", name)
            ip("-n", name, "addr", "add", f"10.213.77.{index + 2}/24", "dev", there)
            ip("-n", name, "link", "set", there, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        pytest.skip(f"network namespaces cannot be made here: {getattr(error, 'stderr', '') or error}")
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "link", "del", bridge], capture_output=True)


@pytest.mark.slow
def test_workers_on_other_hosts_give_the_same_and_one_whose_network_is_cut_is_passed_over(
    hosts, tmp_path, scan, marks, undisturbed
):
    processes = Processes(tmp_path, host="10.213.77.1")
    try:
        for index, name in enumerate(hosts):
            processes.worker(host=f"10.213.77.{index + 2}", inside=name)
        with joined(processes, 0) as cluster:
            wait_until(lambda: cluster.workers == 2)
            cluster.link.patience = 2
            held = cluster.hold(Making(marks), scan.parts(COLUMNS))
            assert {address.split(":")[1] for address in held.places()} == {"//10.213.77.2", "//10.213.77.3"}
            assert same(held.total("value_and_gradient", W), undisturbed)
            ip("-n", hosts[0], "link", "set", f"dsc{os.getpid()}"[:13] + "0p", "down")
            assert same(held.total("slowly", W, 0.05), undisturbed)
            assert same(held.total("value_and_gradient", W), undisturbed)
    finally:
        processes.end()


def count_tasks(dask_scheduler):
    return len(dask_scheduler.tasks)


def first_of_many(many, part):
    return part.first, len(many)
