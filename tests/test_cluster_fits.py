"""Whole fits on a cluster: the same numbers as on one machine, through faults too."""

import os
import signal

import numpy as np
import polars as pl
import pytest
from cluster_fixtures import Processes, found_by_workers_fixture, local_fixture  # noqa: F401
from conftest import called

import descend
from descend.base.errors import ClusterError, OptionError, TableError
from descend.tables.cluster import connect
from descend.tables.open import open_rows

pytestmark = pytest.mark.slow

ROWS = 12_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six files of 2,000 rows."""
    random = np.random.default_rng(5)
    a, b = random.normal(100, 5, ROWS), random.exponential(2, ROWS)
    g = random.choice(["u", "v", "w"], ROWS)
    y = 3 + 2 * a - b + (g == "v") + random.normal(size=ROWS)
    won = (random.random(ROWS) < 1 / (1 + np.exp(-(b - 2 + (g == "u"))))).astype(int)
    kind = np.where(random.random(ROWS) < 0.2, "p", np.where(b > 2, "q", "r"))
    frame = pl.DataFrame({"a": a, "b": b, "g": g, "y": y, "won": won, "kind": kind})
    made = tmp_path_factory.mktemp("table")
    for index in range(6):
        frame[2000 * index : 2000 * (index + 1)].write_parquet(made / f"part-{index}.parquet")
    return made


FITS = [
    ("y ~ a + b + g", {}),
    ("won ~ b + g", {}),
    ("kind ~ b", {"l2": 0.01}),
    ("y ~ a * b", {"lr": 0.1, "epochs": 50}),
]
FITS += [("b ~ a + g", {"loss": "huber", "delta": 2.0}), ("won ~ b", {"optimizer": "adam", "lr": 0.1, "epochs": 12})]


@pytest.mark.parametrize(("formula", "settings"), FITS, ids=[f"{f} {s}" for f, s in FITS])
def test_a_fit_on_a_cluster_is_that_of_one_machine_however_the_rows_are_cut(formula, settings, folder, local):
    alone = descend.fit(formula, str(folder), memory="10kB", **settings)
    for partitions in (1, 6, 16):
        spread = descend.fit(formula, str(folder), cluster=local, partitions=partitions, **settings)
        np.testing.assert_allclose(spread.raw, alone.raw, rtol=1e-12, atol=1e-12 * np.abs(alone.raw).max())
        assert spread.history.final_loss == pytest.approx(alone.history.final_loss, rel=1e-13)
        assert spread.fitted_rows == alone.fitted_rows
        mine, theirs = spread.verification.as_dict(), alone.verification.as_dict()
        assert mine["scores"][0]["hypothesis"] == pytest.approx(theirs["scores"][0]["hypothesis"], rel=1e-10)
        assert [finding.code for finding in spread.findings] == [finding.code for finding in alone.findings]


def test_a_dask_dataframe_is_fitted_by_the_workers_that_hold_it(folder, local):
    dask = pytest.importorskip("dask.dataframe")
    frame = dask.read_parquet(sorted(map(str, folder.glob("*.parquet"))))
    alone = descend.fit("won ~ b + g", str(folder), memory="10kB")
    spread = descend.fit("won ~ b + g", frame, cluster=local)
    np.testing.assert_allclose(spread.raw, alone.raw, rtol=1e-11)


def test_the_command_line_fits_on_workers_of_this_machine(folder, capsys):
    code, out, err = called(capsys, "fit", folder, "y ~ a + g", "--cluster", "local:1", "--partitions", "4")
    assert (code, err) == (0, "")
    assert "12,000 rows, 6 columns" in out
    assert "Better than no hypothesis" in out


REFUSED = [
    (["--cluster", "local:0"], "cluster.address"),
    (["--cluster", "local:1", "--batch-size", "10"], "option.cluster-batches"),
    (["--cluster", "local:1", "--partitions", "0"], "option.count"),
    (["--partitions", "3", "--cluster", "nowhere"], "cluster.address"),
]


@pytest.mark.parametrize(("options", "code"), REFUSED)
def test_what_a_cluster_cannot_do_is_refused(options, code, folder, capsys):
    ended, _, err = called(capsys, "fit", folder, "won ~ a", *options)
    assert ended == 2
    assert code in err


def test_a_table_in_memory_is_not_sent_to_a_cluster(local):
    with pytest.raises(OptionError) as found:
        descend.fit("y ~ x", {"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]}, cluster=local)
    assert found.value.code == "option.cluster-table"


def test_a_file_that_is_missing_damaged_or_has_other_columns_is_named(folder, local, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    scan = open_rows(str(tmp_path), workers=local)
    victim = tmp_path / "part-4.parquet"
    whole = victim.read_bytes()

    def refused():
        with pytest.raises(TableError) as found:
            descend.fit("won ~ b", scan, cluster=local)
        assert "part-4.parquet" in found.value.values["file"]
        return found.value.code

    victim.write_bytes(whole[: len(whole) // 2])
    assert refused() == "table.damaged"
    pl.read_parquet(folder / "part-4.parquet").drop("b").write_parquet(victim)
    assert refused() == "table.part-columns"
    victim.unlink()
    assert refused() == "table.part-missing"


@pytest.fixture
def processes(tmp_path):
    made = Processes(tmp_path)
    yield made
    made.end()


def test_a_worker_killed_in_mid_fit_changes_no_bit_of_the_model(folder, processes):
    settings = {"optimizer": "adam", "lr": 0.05, "epochs": 25, "partitions": 8}
    workers = [processes.worker(), processes.worker()]
    with connect(processes.address, patience=5) as cluster:
        straight = descend.fit("won ~ a + b + g", str(folder), cluster=cluster, **settings)

        def kill(epoch, loss):
            if epoch == 7:
                os.kill(workers[0].pid, signal.SIGKILL)

        struck = descend.fit("won ~ a + b + g", str(folder), cluster=cluster, on_epoch=kill, **settings)
    assert struck.history.loss.tobytes() == straight.history.loss.tobytes()
    assert struck.weights.tobytes() == straight.weights.tobytes()
    assert struck.verification.as_dict() == straight.verification.as_dict()


def test_with_the_scheduler_lost_a_checkpoint_is_kept_and_another_cluster_goes_on(folder, processes, tmp_path, local):
    settings = {"optimizer": "adam", "lr": 0.05, "epochs": 30, "partitions": 8}
    kept = tmp_path / "run.safetensors"
    processes.worker()

    def kill(epoch, loss):
        if epoch == 12:
            processes.scheduler.kill()

    with connect(processes.address, patience=5) as cluster, pytest.raises(ClusterError) as found:
        descend.fit("won ~ a + b", str(folder), cluster=cluster, on_epoch=kill, checkpoint=kept, **settings)
    assert found.value.code == "cluster.lost"
    assert "--resume" in found.value.hint()
    assert kept.exists()
    read = []
    again = descend.fit(
        "won ~ a + b", str(folder), cluster=local, checkpoint=kept, resume=True,
        on_read=lambda what, *_: read.append(what), **settings,
    )  # fmt: skip
    straight = descend.fit("won ~ a + b", str(folder), cluster=local, **settings)
    assert again.history.loss.tobytes() == straight.history.loss.tobytes()
    assert set(read) == {"preparing"}  # the classes; the survey was kept too
    assert any(note.code == "note.resumed" for note in again.notes)


def test_an_interrupt_on_a_cluster_gives_the_model_as_far_as_it_came(folder, local):
    def stop(epoch, loss):
        if epoch == 3:
            raise KeyboardInterrupt

    model = descend.fit("won ~ a", str(folder), cluster=local, optimizer="adam", epochs=50, lr=0.1, on_epoch=stop)
    assert model.history.stop == "interrupted"
    assert model.verification is None
