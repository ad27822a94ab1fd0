"""Whole processes: the help page, and a line through three rows from a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import perf_counter

from benchmarks.pairs import Case, Peer

SCORES = Path(__file__).parent.parent / "examples" / "scores.csv"
MAIN = "from descend.cli import main; raise SystemExit(main())"

SKLEARN = f"""
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneOut, cross_val_predict
frame = pd.read_csv({str(SCORES)!r})
model = LinearRegression().fit(frame[["hours"]], frame["score"])
print(model.intercept_, model.coef_, cross_val_predict(model, frame[["hours"]], frame["score"], cv=LeaveOneOut()))
"""
TORCH = f"""
import pandas as pd, torch
frame = pd.read_csv({str(SCORES)!r})
X, y = torch.tensor(frame[["hours"]].values, dtype=torch.float32), torch.tensor(frame[["score"]].values).float()
layer = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
for epoch in range(1000):
    loss = torch.nn.functional.mse_loss(layer(X), y)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
print(layer.weight, layer.bias)
"""


def process(program: str, *arguments: str) -> float:
    started = perf_counter()
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True)
    return perf_counter() - started


def cases(_: int) -> list[Case]:
    loop = Peer("pandas + PyTorch loop", ("pandas", "torch"), lambda: process(TORCH))
    return [
        Case(
            "`descend --help`",
            lambda: process(MAIN, "--help"),
            (Peer("python alone", (), lambda: process("pass")),),
        ),
        Case(
            "`descend fit` on three rows",
            lambda: process(MAIN, "fit", str(SCORES), "score ~ hours"),
            (Peer("pandas + scikit-learn", ("pandas", "sklearn"), lambda: process(SKLEARN)), loop),
        ),
        Case(
            "the same, 1000 epochs of SGD",
            lambda: process(MAIN, "fit", str(SCORES), "score ~ hours", "--lr", "0.01", "--no-standardize"),
            (loop,),
        ),
    ]
