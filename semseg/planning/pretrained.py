"""Pretrained weights that are on this machine; nothing is downloaded."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from semseg.errors import InvalidInputError, MissingInputError
from semseg.planning.choice import Choice
from semseg.planning.networks import FPN, PRETRAINED_FPN, Network

_PATTERN = "resnet18_v1c-*.pth"  # the name that MMSegmentation's open-mmlab://resnet18_v1c has in the cache
_LAST_LAYER, _SHAPE = "layer4.1.conv2.weight", (512, 512, 3, 3)
_STEM = "stem.0.weight"  # the three convolutions of the v1c stem


def find_pretrained(given: Path | None) -> Path | None:
    """Return a file of weights of a ResNet-18 (v1c): the given one, or one in the cache of PyTorch; None if none.

    Raises:
        FileNotFoundError: the given file is not there.
        ValueError: it holds something else.
    """
    if given is None:
        return next(iter(sorted(Path(torch.hub.get_dir(), "checkpoints").glob(_PATTERN))), None)
    if not given.is_file():
        raise MissingInputError(f"`pretrained` {given}: no such file", code="E-input-missing")
    try:
        content = torch.load(given, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise InvalidInputError(f"`pretrained` {given}: it is no file of weights", code="E-input-unreadable") from error
    weights = content.get("state_dict", content) if isinstance(content, dict) else {}
    last = weights.get(_LAST_LAYER)
    if _STEM not in weights or last is None or tuple(last.shape) != _SHAPE:
        raise InvalidInputError(
            f"`pretrained` {given}: expected the weights of a ResNet-18 (v1c), such as resnet18_v1c-b5776b93.pth, with"
            f" {_STEM} and {_LAST_LAYER}",
            code="E-input-model",
        )
    return given


def choose_pretrained(network: Network, file: Path | None, is_given: bool) -> tuple[Network, Choice]:
    """Choose whether the backbone starts from pretrained weights, which may change the network.

    Raises:
        ValueError: a file was given, and the network has no use for it.
    """
    if file is None:
        why = f"no {_PATTERN} is in the cache of PyTorch, and --pretrained names none."
        return network, Choice("start", None, "from scratch", why)
    if network.stride < FPN.stride:
        if is_given:
            raise InvalidInputError(
                f"`pretrained` {file}: {network.title}, which the classes need, has no use for it; leave it out",
                code="E-input-no-effect",
            )
        return network, Choice("start", None, "from scratch", f"{network.title} has no pretrained weights.")
    why = f"{file} is there; pretrained weights need fewer pictures."
    return PRETRAINED_FPN, Choice("start", str(file), "from pretrained weights", why)
