"""Building networks: from an architecture's name, from a user's module or class, or from a class in a user's file."""

from __future__ import annotations

import contextlib
import copy
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.errors import OptionError
from descend.objectives.networks.architecture import Architecture, parse_architecture, parse_call
from descend.objectives.networks.network import Network, require_torch

if TYPE_CHECKING:
    import torch

    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.objectives.target import Target

SQUASHING = ("Sigmoid", "Softmax", "LogSoftmax", "LogSigmoid")


def build_network(
    hypothesis: Any, design: Design, target: Target, *, seed: int = 0, moments: tuple[Floats, Floats] | None = None
) -> Network:
    """Return a network for a design and a target, its first parameters drawn from ``seed``.

    hypothesis: an architecture's text, a module (copied; with the parameters it has), or a class of modules, called
    with ``inputs`` and ``outputs`` where it takes them.
    moments: centre and spread of each output; 0 and 1 if left out.
    Raises OptionError, DesignError.
    """
    torch = require_torch()
    outputs, intercept = len(target.outputs), design.hypothesis.intercept
    inputs, image = len(design.names) - intercept, design.image
    if inputs == 0:
        raise OptionError("option.hypothesis-inputs")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        if isinstance(hypothesis, str):
            architecture = parse_architecture(hypothesis)
            title = str(architecture)
            if architecture.name == "mlp":
                image, body = None, _mlp(architecture, inputs, outputs, intercept)
            elif image is None or not image.pictures:
                raise OptionError("option.hypothesis-image", value=hypothesis)
            else:
                body = _cnn(architecture, image.shape, outputs)
        else:
            body = _made(hypothesis, inputs, outputs)
            title = type(body).__name__
            _refuse_squashed(body)
            if any(type(tensor).__name__ == "UninitializedParameter" for tensor in body.parameters()):
                raise OptionError("option.module-lazy", name=title)
    centre, spread = moments if moments is not None else (np.zeros(outputs), np.ones(outputs))
    shape, pictures = (None, False) if image is None else (image.shape, image.pictures)
    return Network(body, outputs, centre, spread, intercept, title, shape, pictures, isinstance(hypothesis, str))


def is_module(hypothesis: Any) -> bool:
    """Tell whether something is a PyTorch module or a class of them, without importing PyTorch for it."""
    kind = hypothesis if isinstance(hypothesis, type) else type(hypothesis)
    return any(base.__module__ == "torch.nn.modules.module" and base.__name__ == "Module" for base in kind.__mro__)


def linear_layer_of(hypothesis: Any) -> torch.nn.Linear | None:
    """Return the layer of a module that is one linear layer and nothing else, alone or in a Sequential; else None.

    Its parameters are the layer's own: without hooks, and none that are computed from others.
    """
    if not is_module(hypothesis) or isinstance(hypothesis, type):
        return None
    from torch import nn

    alone = hypothesis[0] if type(hypothesis) is nn.Sequential and len(hypothesis) == 1 else hypothesis
    if type(alone) is not nn.Linear:
        return None
    hooked = any(module._forward_hooks or module._forward_pre_hooks for module in (hypothesis, alone))
    own = {name for name, tensor in alone.named_parameters() if tensor.requires_grad}
    return None if hooked or own != {"weight", *(["bias"] if alone.bias is not None else [])} else alone


def class_in_file(text: str) -> Any:
    """Return a module from ``file.py:Class`` or ``file.py:Class(16, dropout=0.1)``: the file is run, so it is the
    user's own choice and never taken from a model, a page or a server.

    Without parentheses the class is returned as it is. Raises OptionError.
    """
    import importlib.machinery
    import importlib.util

    path, _, call = text.rpartition(":")
    if not path or not Path(path).is_file():
        raise OptionError("option.module-file", value=text, path=path or text)
    name, positional, keywords = parse_call(call)
    loader = importlib.machinery.SourceFileLoader(f"descend_user_{Path(path).stem}", path)
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    code = sys.modules[loader.name] = importlib.util.module_from_spec(spec)  # where dataclasses look for their module
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what the file prints is no part of our output
            loader.exec_module(code)
        made = getattr(code, name, None)
        if not (isinstance(made, type) and is_module(made)):
            raise OptionError("option.module-class", path=path, name=name)
        return made if positional is None else made(*positional, **keywords)
    except OptionError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's own code raises
        reason = f"{type(error).__name__}: {error}"
        raise OptionError("option.module-fails", path=path, name=name, reason=reason[:300]) from error


def _made(hypothesis: Any, inputs: int, outputs: int) -> torch.nn.Module:
    if not is_module(hypothesis):
        raise OptionError("option.hypothesis-kind", found=type(hypothesis).__name__)
    if not isinstance(hypothesis, type):
        copied: torch.nn.Module = copy.deepcopy(hypothesis)
        return copied
    takes = inspect.signature(hypothesis).parameters
    given = {"inputs": inputs, "outputs": outputs}
    try:
        made: torch.nn.Module = hypothesis(**{name: value for name, value in given.items() if name in takes})
    except Exception as error:  # whatever the user's own code raises
        reason = str(error) if isinstance(error, TypeError) else f"{type(error).__name__}: {error}"
        raise OptionError("option.module-arguments", name=hypothesis.__name__, reason=reason[:300]) from error
    return made


def _refuse_squashed(body: torch.nn.Module) -> None:
    """A body that ends in a sigmoid or a softmax gives probabilities, where the losses take logits."""
    if not any(type(layer).__name__ in SQUASHING for layer in body.modules()):
        return
    name = type(_last_called(body)).__name__
    if name in SQUASHING:
        raise OptionError("option.module-squashed", name=name)


def _last_called(body: torch.nn.Module) -> torch.nn.Module | None:
    """Return the layer that gives a body's output, None where that cannot be told without calling it.

    Layers are held in any order, so that the last one held need not be the last one called.
    """
    from torch import fx, nn

    while isinstance(body, nn.Sequential) and len(body):
        body = body[-1]
    if not list(body.children()):
        return body
    try:
        graph = fx.Tracer().trace(body)
    except Exception:  # a body whose way depends on its numbers cannot be traced
        return None
    last = next(node for node in graph.nodes if node.op == "output").args[0]
    return body.get_submodule(str(last.target)) if isinstance(last, fx.Node) and last.op == "call_module" else None


def _mlp(architecture: Architecture, inputs: int, outputs: int, bias: bool) -> torch.nn.Module:
    from torch import nn

    layers: list[nn.Module] = []
    for size in architecture.sizes:
        layers.append(nn.Linear(inputs, size, bias=bias))
        if architecture.batch_norm:
            layers.append(nn.BatchNorm1d(size))
        layers.append(_activation(architecture))
        if architecture.dropout:
            layers.append(nn.Dropout(architecture.dropout))
        inputs = size
    return nn.Sequential(*layers, nn.Linear(inputs, outputs, bias=bias))


def _cnn(architecture: Architecture, shape: tuple[int, ...], outputs: int) -> torch.nn.Module:
    from torch import nn

    height, width = shape[:2]
    if architecture.kernel > 2 * min(height, width):
        pixels = " x ".join(map(str, shape))
        raise OptionError("option.hypothesis-kernel", kernel=architecture.kernel, pixels=pixels)
    channels = shape[2] if len(shape) == 3 else 1
    layers: list[nn.Module] = []
    for size in architecture.sizes:
        if min(height, width) < 2:
            pixels = " x ".join(map(str, shape))
            raise OptionError("option.hypothesis-small", value=str(architecture), pixels=pixels)
        layers.append(nn.Conv2d(channels, size, architecture.kernel, padding=architecture.kernel // 2))
        if architecture.batch_norm:
            layers.append(nn.BatchNorm2d(size))
        layers += [_activation(architecture), nn.MaxPool2d(2)]
        channels, height, width = size, height // 2, width // 2
    layers.append(nn.Flatten())
    inputs = channels * height * width
    for size in (architecture.dense,) if architecture.dense else ():
        layers += [nn.Linear(inputs, size), _activation(architecture)]
        inputs = size
    if architecture.dropout:
        layers.append(nn.Dropout(architecture.dropout))
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def _activation(architecture: Architecture) -> torch.nn.Module:
    from torch import nn

    kinds: dict[str, type[nn.Module]] = {
        "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "silu": nn.SiLU, "elu": nn.ELU,
        "leaky_relu": nn.LeakyReLU,
    }  # fmt: skip
    return kinds[architecture.activation]()
