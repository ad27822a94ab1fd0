"""scikit-learn's linear models that learn batch by batch, the batches read anew by Polars in every epoch."""

from time import perf_counter

from reading import batches
from sklearn.linear_model import SGDClassifier, SGDRegressor

PACKAGES = ["scikit-learn", "numpy", "polars"]
ROWS = 100_000
EPOCHS = 1000


def run(file, target):
    classes = {} if target == "y" else {"classes": [0, 1]}
    model = (
        SGDRegressor(penalty=None, average=True, random_state=0)
        if target == "y"
        else SGDClassifier(loss="log_loss", penalty=None, average=True, random_state=0)
    )
    started = perf_counter()
    for epoch in range(1, EPOCHS + 1):
        for batch in batches(file, target, ROWS):
            numbers = batch.to_numpy()
            model.partial_fit(numbers[:, :-1], numbers[:, -1], **classes)
        yield f"{epoch} epochs", perf_counter() - started, [*model.intercept_.ravel(), *model.coef_.ravel()]
