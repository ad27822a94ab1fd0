"""The loop of epochs and the record of a run, on a training whose losses are written down beforehand."""

import copy

import numpy as np
import pytest

from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import BinaryCrossEntropy
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows
from descend.solvers._epochs import iterate
from descend.solvers._lbfgs import lbfgs
from descend.solvers._loop import DOUBLED, Limits, Look, run_epochs
from descend.solvers._recorder import EpochRecorder, StepRecorder
from descend.solvers.checkpoint import Checkpoint, SavedRun
from descend.solvers.history import ABOVE_THE_START, SNAPSHOTS, snapshot_epochs
from descend.solvers.optimizers import SGD, Adam
from descend.solvers.run_options import RunOptions
from descend.solvers.schedules import ConstantSchedule


class Scripted:
    """A training whose parameter is the number of its steps, and whose losses are given."""

    def __init__(self, losses, held_out=None, slopes=None):
        self.losses, self.held_out, self.slopes = losses, held_out, slopes
        self.steps = 0
        self.interrupted = {}

    def look(self, epoch):
        assert epoch == self.steps
        self._press("look")
        slope = float(epoch) if self.slopes is None else self.slopes[epoch]
        return Look(np.full(2, epoch), self.losses[epoch], slope, self.held_out and self.held_out[epoch])

    def step(self, epoch, record):
        self._press("step")
        self.steps += 1
        record.batch_losses.append(-float(epoch))

    def state(self):
        return {"steps": np.array([self.steps])}, {"note": "kept"}

    def restore(self, saved):
        assert saved.facts == {"note": "kept"}
        self.steps = int(saved.state["steps"][0])

    def _press(self, where):
        if self.interrupted.get(where) == self.steps:
            self.interrupted = {}
            raise KeyboardInterrupt


class Shelf(Checkpoint):
    """A checkpoint in memory, of every epoch."""

    def __init__(self, resumed=None):
        super().__init__("run", {})
        self.kept, self.resumed = {}, resumed

    def load(self, epochs):
        return self.resumed

    def save(self, epoch, record, state, facts=None):
        self.kept[epoch] = copy.deepcopy(SavedRun(epoch, record.state(), state, facts or {}))


def train(training, epochs, run=None, **limits):
    record = EpochRecorder(epochs, 2, restores=training.held_out is not None)
    stop = run_epochs(training, record, Limits(epochs, **limits), run or RunOptions())
    return record.history(stop, "scripted", 0.1)


def same(one, other):
    arrays = ("epoch", "loss", "gradient_norm", "weights", "snapshot_epoch", "snapshots", "validation_loss")
    for name in (*arrays, "batch_loss", "stop", "final_loss", "final_gradient_norm"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


FALLING = [1 / (1 + epoch) for epoch in range(1001)]


def test_a_run_looks_before_every_update_and_after_the_last():
    told = []
    training = Scripted(FALLING)
    history = train(training, 7, RunOptions(on_epoch=lambda *heard: told.append(heard)))
    assert training.steps == 7
    np.testing.assert_array_equal(history.epoch, np.arange(8))
    np.testing.assert_array_equal(history.loss, FALLING[:8])
    np.testing.assert_array_equal(history.gradient_norm, np.arange(8.0))
    assert told == [(epoch, FALLING[epoch]) for epoch in range(7)]
    assert (history.stop, history.final_loss, history.final_gradient_norm) == ("epochs", FALLING[7], 7)
    np.testing.assert_array_equal(history.weights, [7, 7])
    assert len(train(Scripted(FALLING), 0)) == 1


def test_a_run_keeps_the_snapshots_that_its_length_asks_for():
    history = train(Scripted(FALLING), 1000)
    np.testing.assert_array_equal(history.snapshot_epoch, snapshot_epochs(1000, 2))
    np.testing.assert_array_equal(history.snapshots[:, 0], history.snapshot_epoch)
    assert (history.snapshot_epoch[0], history.snapshot_epoch[-1]) == (0, 1000)
    assert SNAPSHOTS // 2 < history.snapshot_epoch.size <= SNAPSHOTS


@pytest.mark.parametrize(
    ("held_out", "patience", "best", "ended"),
    [
        ([5, 4, 3, 3, 3, 3, 3], 2, 2, 4),  # as good is no better
        ([5, 4, 3, 6, 2, 6, 6], 2, 4, 6),
        ([5, 6, 4, 9, 9, 9, 9], 1, 0, 1),
        ([1, 2, 2, 2, 2, 2, 2], 3, 0, 3),
    ],
)
def test_patience_counts_the_epochs_since_the_best_and_goes_back_to_it(held_out, patience, best, ended):
    history = train(Scripted(FALLING, held_out), 20, patience=patience)
    assert (history.stop, history.epochs) == ("early", ended)
    np.testing.assert_array_equal(history.validation_loss, held_out[: ended + 1])
    np.testing.assert_array_equal(history.weights, [best, best])
    assert (history.final_loss, history.final_gradient_norm) == (FALLING[best], best)


def test_patience_that_is_not_spent_lets_a_run_go_on_to_its_last_epoch():
    history = train(Scripted(FALLING, [5, 4, 3, 3, 3, 3, 2]), 6, patience=4)
    assert (history.stop, history.epochs) == ("epochs", 6)
    np.testing.assert_array_equal(history.weights, [6, 6])


def test_a_run_ends_at_its_first_loss_that_is_not_finite_unless_it_is_let_go_on():
    losses = [1.0, 2.0, np.inf, np.nan, 4.0]
    halted = train(Scripted(losses), 4)
    assert (halted.stop, halted.epochs) == ("diverged", 2)
    np.testing.assert_array_equal(halted.weights, [1, 1])  # the last whose loss is finite
    free = train(Scripted(losses), 4, RunOptions(halt=False))
    assert (free.stop, free.epochs) == ("diverged", 4)
    np.testing.assert_array_equal(free.weights, [4, 4])
    np.testing.assert_array_equal(train(Scripted([np.nan, np.inf]), 1).weights, [0, 0])
    for last in (np.inf, np.nan):
        assert train(Scripted([1.0, last]), 1).stop == "diverged"


@pytest.mark.parametrize("growth", [ABOVE_THE_START, DOUBLED])
def test_a_run_that_ends_above_its_start_has_diverged(growth):
    for share, stop in ((1 - 1e-12, "epochs"), (1 + 1e-12, "diverged")):
        history = train(Scripted([3.0, 9.0, 3.0 * growth * share]), 2, growth=growth)
        assert history.stop == stop


def test_a_run_converges_where_the_gradient_has_fallen_to_its_tolerance():
    slopes = [4.0, 1.0, 0.5, 0.4, 0.3]
    history = train(Scripted(FALLING, slopes=slopes), 4, tolerance=0.1)
    assert (history.stop, history.epochs) == ("converged", 3)
    assert train(Scripted(FALLING, slopes=slopes), 4, tolerance=0.05).stop == "epochs"


@pytest.mark.parametrize(("where", "at", "reached"), [("look", 0, 0), ("step", 0, 0), ("look", 3, 2), ("step", 3, 3)])
def test_an_interrupt_ends_a_run_where_it_is(where, at, reached):
    training = Scripted(FALLING)
    training.interrupted = {where: at}
    history = train(training, 9)
    assert (history.stop, history.epochs) == ("interrupted", reached)
    assert history.final_loss == FALLING[reached]
    np.testing.assert_array_equal(history.weights, [reached, reached])


@pytest.mark.parametrize("held_out", [None, [9, 8, 7, 7.5, 6, 6.5, 6.1, 6.2, 6.3]])
def test_a_run_is_kept_before_every_epoch_and_taken_up_from_any(held_out):
    limits = {"patience": None if held_out is None else 4}
    shelf = Shelf()
    straight = train(Scripted(FALLING, held_out), 8, RunOptions(checkpoint=shelf), **limits)
    assert sorted(shelf.kept) == list(range(1, 9))
    for epoch, saved in shelf.kept.items():
        assert saved.epoch == epoch == saved.record["losses"].size
        training = Scripted(FALLING, held_out)
        told = []
        run = RunOptions(checkpoint=Shelf(saved), on_epoch=lambda at, loss, told=told: told.append(at))
        again = train(training, 8, run, **limits)
        same(again, straight)
        assert told == list(range(epoch, straight.epochs if straight.stop == "epochs" else straight.epochs + 1))
        assert again.elapsed >= saved.record["elapsed"][0]


def test_a_run_to_the_optimum_keeps_ever_fewer_snapshots_evenly_spread():
    recorder = StepRecorder()
    for step in range(2345):
        recorder.step(np.full(3, float(step)), 1.0 / (step + 1), np.ones(3))
        kept = sorted(recorder.snapshots)
        assert len(kept) <= SNAPSHOTS
        np.testing.assert_array_equal(kept, np.arange(0, step + 1, recorder.stride))
        assert (recorder.stride == 1) == (step < SNAPSHOTS)
    assert recorder.stride == 8
    history = recorder.history("optimum", "auto", np.nan)
    np.testing.assert_array_equal(history.snapshots[:, 0], history.snapshot_epoch)


def test_a_run_to_the_optimum_ends_with_the_least_loss_and_in_rounding_with_the_least_gradient():
    recorder = StepRecorder()
    steps = [(4.0, 9.0), (2.0, 1.0), (3.0, 0.1), (2.0 * (1 + 1e-15), 0.5), (2.0 * (1 - 1e-15), 0.7), (2.1, 0.0)]
    for index, (loss, slope) in enumerate(steps):
        recorder.step(np.array([float(index)]), loss, np.array([slope]))
    assert recorder.last[0] == 5
    history = recorder.history("optimum", "auto", np.nan)
    assert (history.weights[0], history.final_loss, history.final_gradient_norm) == (3, steps[3][0], 0.5)
    recorder.step(np.array([6.0]), 1.0, None)
    assert recorder.best[0] == 6
    assert np.isnan(recorder.history("optimum", "auto", np.nan).final_gradient_norm)
    recorder.step(np.array([7.0]), 1.0, np.array([3.0]))  # a gradient that is known is better than none
    assert recorder.best[0] == 7


def test_a_run_to_the_optimum_is_kept_at_every_step_and_taken_up_from_any():
    shelf = Shelf()
    told = []
    recorder = StepRecorder(RunOptions(checkpoint=shelf, on_epoch=lambda *heard: told.append(heard)))
    for step in range(700):
        recorder.step(np.array([step, -step], dtype=float), (step - 600.0) ** 2, np.array([step - 600.0]))
    assert sorted(shelf.kept) == [step for step, _ in told] == list(range(700))
    straight = recorder.history("optimum", "auto", np.nan)
    for at in (0, 1, 499, 500, 501, 650):
        again = StepRecorder(RunOptions(checkpoint=Shelf(shelf.kept[at])))
        assert len(again) == at + 1
        for step in range(at + 1, 700):
            again.step(np.array([step, -step], dtype=float), (step - 600.0) ** 2, np.array([step - 600.0]))
        same(again.history("optimum", "auto", np.nan), straight)


def test_checkpoints_name_their_arrays_as_they_always_have():
    both = {"losses", "slopes", "snapshots", "elapsed"}
    epochs = {"snapshot_epochs", "validation_losses", "batch_losses", "best_epoch", "best_w", "finite_w"}
    assert set(EpochRecorder(5, 2).state()) == both | epochs
    recorder = StepRecorder()
    recorder.step(np.ones(2), 3.0, np.ones(2))
    state = recorder.state()
    assert set(state) == both | {"snapshot_steps", "numbers", "best", "last"}
    del state["elapsed"]  # the first ones had none
    again = StepRecorder()
    again.restore(state)
    same(again.history("optimum", "auto", np.nan), recorder.history("optimum", "auto", np.nan))


def logistic(seed):
    random = np.random.default_rng(seed)
    X = np.column_stack([np.ones(60), random.normal(size=(60, 2))])
    Y = (random.uniform(size=(60, 1)) < 0.5).astype(float)
    return RowsObjective(DesignRows(X, Y), BinaryCrossEntropy(), 1, L2(0.0, np.zeros(3)))


@pytest.mark.parametrize("settings", [{}, {"batch_size": 7}, {"batch_size": 7, "drop_last": True}])
@pytest.mark.parametrize("optimizer", [Adam(0.1), SGD(0.1, 0.9)])
def test_a_run_of_any_optimizer_is_taken_up_to_the_last_bit_from_any_epoch(optimizer, settings):
    train_rows, held = logistic(1), logistic(2)
    settings = {**settings, "validation": held, "patience": 6, "batch_history": True, "seed": 5}
    shelf = Shelf()
    go = lambda run: iterate(train_rows, np.zeros(3), optimizer, ConstantSchedule(), 9, run=run, **settings)  # noqa: E731
    straight = go(RunOptions(checkpoint=shelf))
    batches = 0 if "batch_size" not in settings else 8 if "drop_last" in settings else 9  # of 7 of 60 rows
    assert straight.batch_loss.size == straight.epochs * batches
    for saved in shelf.kept.values():
        same(go(RunOptions(checkpoint=Shelf(copy.deepcopy(saved)))), straight)


def test_an_interrupt_in_the_first_reading_gives_the_start():
    class Struck(RowsObjective):
        pressed = False

        def value_and_gradient(self, w):
            if not Struck.pressed:
                Struck.pressed = True
                raise KeyboardInterrupt
            return super().value_and_gradient(w)

    rows = logistic(1)
    struck = Struck(DesignRows(rows.X, rows.Y), rows.loss, 1, rows.penalty.scaled(0.0))
    for run in (
        lambda: iterate(struck, np.ones(3), SGD(0.1), ConstantSchedule(), 5),
        lambda: lbfgs(struck, np.ones(3)),
    ):
        Struck.pressed = False
        history = run()
        assert (history.stop, history.epochs, history.final_loss) == ("interrupted", 0, rows.value(np.ones(3)))
        np.testing.assert_array_equal(history.weights, np.ones(3))
