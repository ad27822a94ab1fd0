"""Remedies that change settings of the loss, its penalty, the network and the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from descend.analysis.diagnosis.remedies.reading import markers_as_text
from descend.analysis.diagnosis.remedies.run import standardise
from descend.base.messages import Note
from descend.formula import edits
from descend.objectives.networks.architecture import parse_architecture
from descend.solvers.settings import OF_A_RUN

if TYPE_CHECKING:
    from descend.analysis.diagnosis.change import Change
    from descend.analysis.diagnosis.remedies.case import Case, Offer

L2 = 0.01
DROPOUT = 0.2
WEIGHT_DECAY = 0.01
STRONGER = 10  # times what was not enough
NETWORK = "mlp(64)"


def setting(code: str, **settings: Any) -> Offer:
    """Return the offer of settings that are the same in every case; the label tells them."""
    return lambda case: [case.setting(Note(code, settings), **settings)]


def each_of(*offers: Offer) -> Offer:
    """Return the offer of what several offers hold, in their order."""
    return lambda case: [change for offer in offers for change in offer(case)]


softmax_instead = setting("remedy.softmax", family="softmax", loss=None)
huber = setting("remedy.huber", loss="huber")
without_rows = setting("remedy.drop", missing="drop")
with_means = setting("remedy.mean", missing="mean")


def shrink(case: Case) -> list[Change]:
    """Hold the weights small, or smaller."""
    l2 = STRONGER * case.recipe.l2 or L2
    return [case.setting(Note("remedy.l2", {"l2": l2}), l2=l2)]


def shrink_at_all(case: Case) -> list[Change]:
    """Hold the weights small where they are not held yet."""
    return [] if case.recipe.l2 else shrink(case)


def regularise(case: Case) -> list[Change]:
    """Add dropout and weight decay to a network that is named."""
    found, decay = [], STRONGER * (case.recipe.weight_decay or 0.0) or WEIGHT_DECAY
    if isinstance(case.recipe.hypothesis, str):
        network = parse_architecture(case.recipe.hypothesis)
        if not network.dropout and network.sizes:
            label = Note("remedy.dropout", {"dropout": DROPOUT})
            found.append(case.setting(label, hypothesis=str(replace(network, dropout=DROPOUT))))
    found.append(case.setting(Note("remedy.weight-decay", {"weight_decay": decay}), weight_decay=decay))
    return found


def network_instead(case: Case) -> list[Change]:
    """Take a network with its usual optimizer in the place of an equation."""
    kept = ("patience", "validation")
    back = dict.fromkeys([name for name in (*OF_A_RUN, "l2", "init") if name not in kept and name in case.settings])
    return [case.setting(Note("remedy.network", {"hypothesis": NETWORK}), hypothesis=NETWORK, **back)]


def without_missing(case: Case) -> list[Change]:
    """Leave out the rows; or fill a column with its mean, which a target must not be."""
    target = {name.name for name in edits.resolved(case.formula, case.known).outputs}
    filled = [] if case.values["column"] in target else with_means(case)
    return [*without_rows(case), *filled, *markers_as_text(case)]


def smaller_numbers(case: Case) -> list[Change]:
    """Compute in float64, or scale the columns."""
    wide = case.setting(Note("remedy.float64", {}), dtype=None)
    return [*([wide] if case.recipe.arithmetic == "float32" and not case.recipe.networked else []), *standardise(case)]


def reset(case: Case) -> list[Change]:
    """Take the setting that is told back to its default."""
    name = case.values["name"]
    return [case.setting(Note("remedy.reset", {"name": name}), **{name: None})]


def from_zero(case: Case) -> list[Change]:
    """Start from zeros."""
    return [case.setting(Note("remedy.reset", {"name": "init"}), init=None)]
