"""What becomes of a pass where workers are killed, stand still or are lost: not a bit of it changes, or it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from functools import partial
from operator import methodcaller

import pytest
from cluster_fixtures import (  # noqa: F401
    Processes,
    Striking,
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
    undisturbed_fixture,
    wait_until,
)
from cluster_tasks import COLUMNS, Making, Numbered, first_of

from descend.base.errors import ClusterError
from descend.tables.cluster import connect

pytestmark = pytest.mark.slow


def test_a_worker_killed_in_mid_pass_changes_no_bit(processes, scan, marks, undisturbed):
    with joined(processes, 2) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        with Striking(marks, after=2):
            assert same(held.total(methodcaller("slowly", W, 0.05)), undisturbed)
        assert cluster.workers == 1
        assert same(held.total(methodcaller("value_and_gradient", W)), undisturbed)


def test_a_worker_killed_while_parts_are_made_changes_no_bit(processes, scan, marks, undisturbed):
    with joined(processes, 2) as cluster:
        with Striking(marks, after=2):
            held = cluster.hold(Making(marks, seconds=0.05), scan.parts(COLUMNS))
        assert same(held.total(methodcaller("value_and_gradient", W)), undisturbed)
        with Striking(marks, after=2):
            threading.Timer(0.2, processes.worker).start()
            read = list(cluster.each(Making(marks, seconds=0.05), scan.parts(COLUMNS)))
        assert [len(sums.objective.X) for sums in read] == [100] * 8


def test_a_worker_killed_in_each_of_five_passes_changes_no_bit(scan, marks, undisturbed):
    with connect("local:2") as cluster:  # whose workers are started again
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        for _ in range(5):
            with Striking(marks, after=2):
                assert same(held.total(methodcaller("slowly", W, 0.05)), undisturbed)
        wait_until(lambda: cluster.workers == 2)
        wait_until(
            lambda: same(held.total(methodcaller("value_and_gradient", W)), undisturbed) and len(held.places()) == 2
        )


def test_a_worker_that_stands_still_is_passed_over(processes, scan, marks, undisturbed):
    with joined(processes, 2, patience=1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        with Striking(marks, signal.SIGSTOP, after=2) as striking:
            assert same(held.total(methodcaller("slowly", W, 0.05)), undisturbed)
        assert cluster.workers == 1
        assert same(held.total(methodcaller("value_and_gradient", W)), undisturbed)
        os.kill(striking.struck, signal.SIGCONT)


def test_a_task_that_hangs_is_asked_of_another_worker(processes, scan, marks, undisturbed):
    with joined(processes, 2, patience=1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        assert same(held.total(methodcaller("stuck_once", W)), undisturbed)


@pytest.mark.parametrize("parts", [8, 40])
def test_what_a_worker_that_stands_still_has_made_is_made_again(processes, tmp_path, marks, parts):
    scan = make_scan(tmp_path, files=parts, rows=10)
    with joined(processes, 2, patience=1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        undisturbed = held.total(methodcaller("value_and_gradient", W))
        first = next(held.ask(methodcaller("process")))
        with Striking(marks, signal.SIGSTOP, after=1, of=first):  # it is done with its own parts by then
            assert same(held.total(methodcaller("last_slowly", W, 0.4, 10 * (parts - 2))), undisturbed)
        assert cluster.workers == 1


def test_a_scheduler_that_stands_still_is_told(tmp_path, scan, marks):
    processes = Processes(tmp_path)
    with joined(processes, 1, patience=1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        with pytest.raises(ClusterError) as caught, Striking(marks, signal.SIGSTOP, of=processes.scheduler.pid):
            held.total(methodcaller("slowly", W, 0.2))
        assert caught.value.code == "cluster.lost"
    processes.end()


def test_where_all_workers_are_lost_new_ones_are_waited_for(processes, scan, marks, undisturbed):
    with joined(processes, 1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        with Striking(marks):
            threading.Timer(0.5, processes.worker).start()
            assert same(held.total(methodcaller("slowly", W, 0.05)), undisturbed)


def test_where_all_workers_are_lost_and_none_comes_it_is_told(processes, scan, marks):
    with joined(processes, 1, patience=1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        with pytest.raises(ClusterError) as caught, Striking(marks):
            held.total(methodcaller("slowly", W, 0.2))
    assert caught.value.code == "cluster.no-workers"


def test_a_lost_scheduler_is_told_by_its_address_and_nothing_else(tmp_path, scan, marks, capfd):
    processes = Processes(tmp_path)
    with joined(processes, 1) as cluster:
        held = cluster.hold(Making(marks), scan.parts(COLUMNS))
        with pytest.raises(ClusterError) as caught, Striking(marks, of=processes.scheduler.pid):
            held.total(methodcaller("slowly", W, 0.2))
        for ask in (
            partial(held.total, methodcaller("slowly", W, 0.0)),
            lambda: list(cluster.each(first_of, [Numbered(1)])),
        ):
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
            held.total(methodcaller("slowly", W, 0.2))
        held.release()
        wait_until(lambda: not cluster.link.client.run_on_scheduler(count_tasks))


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
            assert same(held.total(methodcaller("value_and_gradient", W)), undisturbed)
            ip("-n", hosts[0], "link", "set", f"dsc{os.getpid()}"[:13] + "0p", "down")
            assert same(held.total(methodcaller("slowly", W, 0.05)), undisturbed)
            assert same(held.total(methodcaller("value_and_gradient", W)), undisturbed)
    finally:
        processes.end()


def count_tasks(dask_scheduler):
    return len(dask_scheduler.tasks)
