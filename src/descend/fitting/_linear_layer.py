"""A PyTorch module that is one linear layer: it is fitted as the linear equation that it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from descend.base.errors import OptionError
from descend.base.messages import Note
from descend.formula.parser import parse
from descend.objectives.networks.build import linear_layer_of
from descend.solvers.optimizers import OPTIMIZERS
from descend.solvers.recipe import Recipe

if TYPE_CHECKING:
    from descend.base.typing import Floats, Rows
    from descend.fitting.problem import Problem
    from descend.objectives.networks.network import Network


def as_equation(problem: Problem, recipe: Recipe, rows: Rows) -> tuple[Problem, Recipe]:
    """Return a problem and its recipe, those of an equation where the hypothesis is a module of one linear layer.

    rows: those that are fitted. The equation has an intercept where the layer has a bias, and its run starts from the
    layer's parameters, at the rate of a network where none is given. What only PyTorch does stays a network's: a loss
    or an optimizer of the user's own, an optimizer or a setting that no equation has, batches, and a layer that does
    not fit the columns or is not learnt.
    """
    layer = linear_layer_of(recipe.hypothesis)
    if layer is None or problem.stream is not None or recipe.batch_size is not None or callable(recipe.loss):
        return problem, recipe
    if recipe.method not in ("auto", *OPTIMIZERS) and recipe.optimizer != "auto":
        return problem, recipe
    stated = _with_intercept(problem, layer.bias is not None)
    if stated is None or len(problem.target.outputs) != layer.out_features:
        return problem, recipe
    pictures = any(images.ndim > 2 for images in problem.data.images.values())
    if pictures or stated.width - (layer.bias is not None) != layer.in_features:
        return problem, recipe
    from descend.solvers import torch_training

    given = {name: value for name, value in recipe.given().items() if name != "hypothesis"}
    try:
        plain = Recipe(**given)
    except OptionError:  # a setting that only a network has
        return problem, recipe
    if plain.lr is None and plain.optimizer != "auto":
        plain = replace(plain, lr=OPTIMIZERS[plain.method].network_rate)
    fitted, _ = stated.held_out(rows, recipe)
    in_full = replace(recipe, dtype=plain.arithmetic)
    design = stated.learn_design(rows, plain)
    network = torch_training.prepare(design, stated.target, stated.target.encode(stated.rows_of(fitted)), in_full)
    if network.parameters != sum(tensor.numel() for tensor in network.body.parameters()):
        return problem, recipe
    start = _start(network)
    network.body.to(layer.weight.dtype)
    told = [*stated.notes, Note("note.linear-layer", {"name": network.title})]
    if plain.optimizer == "auto" and plain.iterates:
        told.append(Note("note.sgd-asked", {}))
    stated = replace(stated, notes=told, layer=network)
    return stated, replace(plain, init=start)


def _with_intercept(problem: Problem, intercept: bool) -> Problem | None:
    """Return a problem whose hypothesis has an intercept or has none; None where that takes another formula."""
    hypothesis = problem.hypothesis
    if hypothesis.written:
        return None
    if hypothesis.intercept is intercept:
        return problem
    left, tilde, right = hypothesis.text.partition("~")
    if intercept or not tilde or "~" in right:
        return None
    without = parse(f"{left}~ 0 +{right}").resolve(problem.data.table.columns, problem.data.table.repeated)
    return replace(problem, hypothesis=without)


def _start(network: Network) -> Floats:
    """Return a layer's parameters as an equation has them, columns x outputs, the intercept first."""
    state, outputs = network.state(), network.outputs
    inputs = (state.size - outputs * network.intercept) // outputs
    weight = network.spread * state[: inputs * outputs].reshape(outputs, inputs).T
    bias = [network.centre + network.spread * state[inputs * outputs :]] if network.intercept else []
    return np.asarray([*bias, *weight], dtype=np.float64)
