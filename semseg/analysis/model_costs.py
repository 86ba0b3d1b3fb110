"""Count the parameters and operations of models, without weights and without computing anything.

A model is built on PyTorch's device `meta`, where tensors have shapes but no values. One prediction is then traced, and
the operations of PyTorch's own table (convolutions, matrix products, attention) are counted; normalization, activation
and resizing are not, as is usual in publications.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from semseg.config.build_errors import explained
from semseg.config.from_checkpoint import leave_out_pretrained
from semseg.system.atomic import atomic_path
from semseg.system.cache_folder import cache_dir

SIZES = ((512, 1024), (1024, 2048))  # height, width
_VERSION = 1  # of what is counted; raise it when a count changes, so that remembered counts are not used
_KEYS_OF_TRAINING = ("auxiliary_head", "train_cfg")


class Cost(NamedTuple):
    """What a prediction costs.

    Attributes:
        num_parameters: of the parts that predict; auxiliary heads, which only help to train, are not counted.
        num_macs: multiply-accumulate operations of one image at each of `SIZES`. PyTorch counts two operations for
            each; most publications say FLOPs and mean this number.
    """

    num_parameters: int
    num_macs: tuple[int, ...]


class _LinspaceOnCpu(TorchFunctionMode):
    """Let `torch.linspace` compute values: transformers read their rates of stochastic depth from it."""

    def __torch_function__(self, func: Any, types: Any, args: Sequence = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        return func(*args, **({"device": "cpu", **kwargs} if func is torch.linspace else kwargs))


def count_cost(cfg: Config) -> Cost:
    """Count the parameters and the operations of a model.

    A model that is tested on windows is counted on the whole image, as published numbers are.

    Args:
        cfg: with `model`; not changed.

    Raises:
        ValueError: a part of the model cannot be built or run here; the sentence names its key.

    Example:
        >>> from semseg.analysis.model_costs import count_cost
        >>> from semseg.config import load_config
        >>> cost = count_cost(load_config("pspnet_r101-d8_4xb2-80k_cityscapes-512x1024"))
        >>> f"{cost.num_parameters / 1e6:.1f} million parameters, {cost.num_macs[0] / 1e9:.1f} GMACs"
        '65.6 million parameters, 511.7 GMACs'
    """
    model = _build(cfg, torch.device("meta"))
    with torch.device("meta"), _LinspaceOnCpu(), torch.no_grad():
        num_macs = [_count_macs(cfg, model, size) for size in SIZES]
        if num_macs[0] > num_macs[-1]:  # a first prediction may prepare others, as SAN's, which encodes the classes
            num_macs[0] = _count_macs(cfg, model, SIZES[0])
    return Cost(_count_parameters(model), tuple(num_macs))


def num_parameters(cfg: Config) -> int:
    """Return the number of parameters of the parts of a model that predict; see `Cost`.

    Args:
        cfg: with `model`; not changed.

    Raises:
        ValueError: a part of the model cannot be built here; the sentence names its key.
    """
    return _count_parameters(_build(cfg, torch.device("cpu")))  # parts of a user may need values when they are built


def _build(cfg: Config, device: torch.device) -> Any:
    """Build the parts of a model that predict, ready to predict."""
    settings = ConfigDict({key: value for key, value in cfg.model.to_dict().items() if key not in _KEYS_OF_TRAINING})
    leave_out_pretrained(settings)
    init_default_scope(cfg.get("default_scope", "mmseg"))
    with device, _LinspaceOnCpu(), explained(cfg):
        return MODELS.build(settings).eval()


def _count_parameters(model: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


def _count_macs(cfg: Config, model: Any, size: tuple[int, int]) -> int:
    """Count the operations of a prediction.

    Args:
        cfg: the config of the model.
        model: on the device `meta`.
        size: height, width.
    """
    image_meta = dict(ori_shape=size, img_shape=size, pad_shape=size, batch_input_shape=size)
    with (
        explained(cfg, f"a prediction of {size[0]}x{size[1]} (height x width)", model),
        FlopCounterMode(display=False) as counter,
    ):
        model.encode_decode(torch.empty(1, _num_channels(cfg), *size), [image_meta])
    return counter.get_total_flops() // 2


def remembered_cost(cfg: Config) -> Cost | str:
    """Return the cost of a model, from the cache if it was counted before; a sentence if it cannot be counted.

    Args:
        cfg: with `model`; not changed.
    """
    import mmseg

    facts = [_VERSION, SIZES, torch.__version__, mmseg.__version__, cfg.model.to_dict()]
    path = cache_dir() / "model_costs" / f"{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}.json"
    remembered = _read_cost(path)
    if remembered is not None:
        return remembered
    try:
        cost = count_cost(cfg)
    except Exception as error:  # of any model: the others are still listed
        return " ".join(str(error).split()) or type(error).__name__
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(cost._asdict()))
    return cost


def _read_cost(path: Path) -> Cost | None:
    try:
        content = json.loads(path.read_text())
        return Cost(int(content["num_parameters"]), tuple(map(int, content["num_macs"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _num_channels(cfg: Config) -> int:
    return (cfg.model.get("backbone") or {}).get("in_channels") or 3
