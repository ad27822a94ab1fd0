"""Frames of pandas in an environment that has descend and pandas alone: run as a script, ends with 0 where all is well.

pandas hands its columns over by pyarrow where that is installed; without it descend reads them itself.
"""

import sys

import pandas as pd

import descend
from descend.tables.open import read

CELLS = ["b", "a", None, "NA"]
TEXTS = {
    "str": pd.Series(CELLS, dtype="str"),
    "string": pd.Series(CELLS, dtype="string"),
    "object": pd.Series(CELLS, dtype=object),
    "category": pd.Series(pd.Categorical(CELLS, categories=["b", "NA", "a"])),
}
NUMBERS = {
    "int64": pd.Series([9007199254740993, 2, 3, 4]),
    "Int64": pd.Series([9007199254740993, None, 3, 4], dtype="Int64"),
    "float64": pd.Series([0.5, None, 3, 4]),
    "Float64": pd.Series([0.5, None, 3, 4], dtype="Float64"),
    "bool": pd.Series([True, False, True, True]),
    "boolean": pd.Series([True, None, True, False], dtype="boolean"),
    "datetime64": pd.Series(pd.to_datetime(["2024-01-05", None, "2024-01-07", "2024-01-08"])),
    "datetime64 with a zone": pd.Series(pd.to_datetime(["2024-01-05", None, "2024-01-07", "2024-01-08"], utc=True)),
}
LABELS = {
    "int64": ["9007199254740993", "2", "3", "4"],
    "Int64": ["9007199254740993", None, "3", "4"],
    "float64": ["0.5", None, "3", "4"],
    "Float64": ["0.5", None, "3", "4"],
    "bool": ["true", "false", "true", "true"],
    "boolean": ["true", None, "true", "false"],
    "datetime64": ["2024-01-05", None, "2024-01-07", "2024-01-08"],
}


def main() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        pass
    else:
        raise SystemExit("pyarrow is installed here, so that nothing is tried")
    table = read(pd.DataFrame({**TEXTS, **NUMBERS}))
    for name in TEXTS:
        assert table.labels(name).to_list() == CELLS, (name, table.labels(name).to_list())
    for name, labels in LABELS.items():
        assert table.labels(name).to_list() == labels, (name, table.labels(name).to_list())
    assert table.labels("datetime64 with a zone").null_count() == 1
    assert table.levels("category") == ("b", "NA", "a")
    assert table.numbers("boolean").tolist()[0] == 1.0
    frame = pd.DataFrame({name: list(texts.iloc[:2]) * 6 for name, texts in TEXTS.items()}).astype(
        {"category": "category"}
    )
    frame = frame.assign(string=frame["string"].astype("string"), y=[1.0, 3.0] * 6)
    for name in TEXTS:
        model = descend.fit(f"y ~ {name}", frame)
        assert model.predict(frame).round(6).tolist() == frame["y"].tolist(), name


if __name__ == "__main__":
    main()
    sys.stdout.write("pandas without pyarrow: all is well\n")
