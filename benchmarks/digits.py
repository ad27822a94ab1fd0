"""The MNIST digits that the tests ship, as arrays; and what hypotheses make of them, beside peers, with wall times."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

import descend
from benchmarks.contest import Absent

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

PLACE = Path(__file__).parent.parent / "tests" / "data"
FITTED, TESTED = (PLACE / f"mnist-{part}-images-idx3-ubyte.gz" for part in ("train", "t10k"))
L2 = 0.0005
EPOCHS = {"softmax": 12, "mlp": 15, "cnn": 6}
RATE = 0.003
MLP = "mlp(256, 128, dropout=0.3, batch_norm=true)"
CNN = "cnn(16, 32, dropout=0.3, batch_norm=true)"
SOFTMAX_IN_BATCHES = {
    "optimizer": "adam", "lr": RATE, "batch_size": 64, "epochs": EPOCHS["softmax"], "schedule": "cosine",
    "dtype": "float32",
}  # fmt: skip


def digits(path: Path = FITTED) -> tuple[Array, Array]:
    """Return ones and 784 pixels in [0, 1], and the class codes; raises Absent where there are no such files."""
    if not path.exists():
        raise Absent("no MNIST files in tests/data")
    table = descend.read(path)
    images = table.images("image")
    X = np.ones((len(images), 1 + images[0].size))
    X[:, 1:] = images.reshape(len(images), -1) / 255
    return X, table.labels("label").cast(int).to_numpy()[:, None].astype(np.float64)


def accuracies() -> tuple[str, list[dict[str, Any]]]:
    """Return the table of accuracies on the 2,000 digits that none has seen, with the seconds of the fit; and its rows.

    Times are of one run each, after one that only warms up; reading the files is not counted.
    """
    rows = []
    for name, run in contestants().items():
        started = perf_counter()
        predict = run()
        seconds = perf_counter() - started
        X, codes = digits(TESTED)
        rows.append({"hypothesis": name, "accuracy": float((predict(X) == codes[:, 0]).mean()), "seconds": seconds})
    lines = ["### digits", "", "| hypothesis | accuracy on 2,000 unseen | seconds to fit 8,000 |", "|---|---:|---:|"]
    lines += [f"| {row['hypothesis']} | {row['accuracy']:.4f} | {row['seconds']:.1f} |" for row in rows]
    return "\n".join(lines), rows


def contestants() -> dict[str, Callable[[], Callable[[Array], Array]]]:
    """Return what is compared: each fits and gives what predicts the codes of rows."""
    X, codes = digits()
    table = descend.read(FITTED)
    return {
        "descend, softmax to the optimum": lambda: _ours(table, {"l2": L2}),
        "descend, softmax in batches": lambda: _ours(table, SOFTMAX_IN_BATCHES),
        "scikit-learn LogisticRegression": lambda: _sklearn(X, codes[:, 0]),
        "PyTorch loop, softmax": lambda: _plain(X, codes[:, 0], "softmax"),
        f"descend, {MLP}": lambda: _network(table, MLP, EPOCHS["mlp"]),
        "PyTorch loop, the same MLP": lambda: _plain(X, codes[:, 0], "mlp"),
        f"descend, {CNN}": lambda: _network(table, CNN, EPOCHS["cnn"]),
        "PyTorch loop, the same CNN": lambda: _plain(X, codes[:, 0], "cnn"),
    }


def _network(table: Any, hypothesis: str, epochs: int) -> Callable[[Array], Array]:
    return _ours(table, {"hypothesis": hypothesis, "epochs": epochs, "lr": RATE, "schedule": "cosine"})


def _ours(table: Any, settings: dict[str, Any]) -> Callable[[Array], Array]:
    model = descend.fit("label ~ image", table, test="none", **settings)
    return lambda X: model.predict(descend.read(TESTED)).astype(int)


def _sklearn(X: Array, codes: Array) -> Callable[[Array], Array]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1 / (2 * L2 * len(X)), max_iter=1000).fit(X[:, 1:], codes)
    return lambda X: fitted.predict(X[:, 1:])


def _plain(X: Array, codes: Array, kind: str) -> Callable[[Array], Array]:
    """Train with a DataLoader and Adam, its rate falling to 0 as a cosine, as the tutorials do."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = {
        "softmax": lambda: nn.Linear(784, 10),
        "mlp": lambda: nn.Sequential(
            nn.Linear(784, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.3),
            nn.Linear(256, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10),
        ),
        "cnn": lambda: nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10),
        ),
    }[kind]()  # fmt: skip
    data = torch.utils.data.TensorDataset(torch.tensor(X[:, 1:], dtype=torch.float32), torch.tensor(codes).long())
    loader = torch.utils.data.DataLoader(data, batch_size=64 if kind == "softmax" else 32, shuffle=True)
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS[kind])
    for _ in range(EPOCHS[kind]):
        for rows, targets in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(rows), targets).backward()
            optimizer.step()
        schedule.step()
    module.eval()

    def predict(X: Array) -> Array:
        with torch.inference_mode():
            return np.asarray(module(torch.tensor(X[:, 1:], dtype=torch.float32)).argmax(dim=1).numpy())

    return predict
