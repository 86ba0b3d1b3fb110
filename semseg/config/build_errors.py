"""Turn an error in a part of a config into one sentence that names the key of that part.

MMEngine builds everything from dictionaries, and an error there ends in a traceback through its registries and
PyTorch's modules. The local variables in the frames of that traceback tell which dictionary was being built and which
module was running; from these the key in the config is found.
"""

from __future__ import annotations

import http.client
import re
import urllib.error
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from torch import nn

from semseg.config.packages import how_to_compile
from semseg.config.plugin_files import find_frame
from semseg.config.plugin_records import missing_plugins, plugin_flags
from semseg.config.tree import walk
from semseg.errors import InvalidConfigError

_PACKAGE = str(Path(__file__).parents[1])
_SHORT_MESSAGES = (KeyError, TypeError, AttributeError, IndexError, NameError)  # unclear without the error's type
_NO_NETWORK = (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException)
_MISSING_OPERATOR = re.compile(r"install onedl-mmcv for (\w+) ops")
_UNEVEN = re.compile(r"must match the size of tensor|[Ss]izes of tensors must match|should be divisible")
_TOO_SMALL = re.compile(
    r"Output size is too small|[Kk]ernel size can't be greater|Padding size should be less|greater than zero"
)
_NOT_REGISTERED = re.compile(r"(\S+) is not in the \S+ registry")
_INSIDE_INIT_CFG = re.compile(r"\.init_cfg\..*")
_BUILDING = ("build_from_cfg", "init_weights")  # functions of MMEngine


class _Place(NamedTuple):
    key: str
    node: dict


@contextmanager
def explained(cfg: Any, doing: str = "", model: nn.Module | None = None) -> Generator[None, None, None]:
    """Turn an error that a part of a config raises in the `with` block into a ValueError that names its key.

    Errors of this project's own code pass unchanged, and so do failures of the machine.

    Args:
        cfg: the config that contains the parts.
        doing: what the block does, such as `a training step on 128x256`. Empty: only errors while parts are built and
            their weights are initialized are explained.
        model: the model that was built from `cfg`, if there is one.

    Raises:
        ValueError: from the original error.
        ConnectionError: pretrained weights can't be downloaded; the sentence names the key to set.
    """
    try:
        yield
    except Exception as error:
        frames = list(_frames(error))
        if isinstance(error, _NO_NETWORK) and (sentence := _describe_download(cfg, frames, error)):
            raise ConnectionError(sentence) from error
        if not doing and not any(frame.f_code.co_name in _BUILDING for frame in frames):
            raise
        is_own = frames and frames[-1].f_code.co_filename.startswith(_PACKAGE)
        is_of_machine = isinstance(error, (OSError, MemoryError)) and not isinstance(error, FileNotFoundError)
        place = None if is_own or is_of_machine else _find_place(cfg, frames, model)
        if place is None or "memory" in str(error):
            raise
        code = "E-config-operator" if _MISSING_OPERATOR.search(str(error)) else "E-config-part"
        where = find_frame(error)
        line = f" ({where[0]} line {where[1]})" if where else ""
        raise InvalidConfigError(_describe(cfg, place, error, doing) + line, code=code) from error


def _frames(error: BaseException) -> Iterator[FrameType]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def _find_place(cfg: Any, frames: list[FrameType], model: nn.Module | None) -> _Place | None:
    """Find the part of a config that the innermost frames belong to."""
    bare = getattr(model, "module", model)  # in a distributed run the model is wrapped
    names = {} if bare is None else {id(module): name for name, module in bare.named_modules()}
    parts = [(key, node) for key, node in walk(cfg.to_dict()) if isinstance(node, dict) and "type" in node]
    place: _Place | None = None
    for frame in frames:
        if frame.f_code.co_name == "build_from_cfg" and isinstance(frame.f_locals.get("cfg"), dict):
            place = _place_of_dict(parts, frame.f_locals["cfg"], place) or place
            continue
        owner = frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and id(owner) in names:
            place = _place_of_module(parts, names[id(owner)]) or place
        elif callable(getattr(owner, "transform", None)):
            kind = type(owner).__name__
            place = next((_Place(*part) for part in parts if _kind(part[1]) == kind), place)
    return place


def _place_of_dict(parts: list[tuple[str, dict]], built: dict, inside: _Place | None) -> _Place | None:
    """Find the part that is being built: an equal one, else one of the same type, as MMEngine edits parts first."""
    inner = [part for part in parts if inside is None or part[0].startswith(f"{inside.key}.")]
    for candidates in (inner, parts):
        same = [part for part in candidates if part[1] == built] or [
            part for part in candidates if part[1]["type"] == built.get("type")
        ]
        if same:
            return _Place(*same[0])
    return None


def _place_of_module(parts: list[tuple[str, dict]], name: str) -> _Place | None:
    """Find the innermost part of a model's config that contains a module, such as `decode_head.0.loss_decode`."""
    by_key = dict(parts)
    steps = ["model", *filter(None, name.split("."))]
    keys = (".".join(steps[:count]) for count in range(len(steps), 0, -1))
    return next((_Place(key, by_key[key]) for key in keys if key in by_key), None)


def _describe(cfg: Any, place: _Place, error: Exception, doing: str) -> str:
    what = f"{place.key} ({_kind(place.node)})"
    message = " ".join(str(error).split()) or type(error).__name__
    if operator := _MISSING_OPERATOR.search(message):
        return f"{what} {how_to_compile(operator.group(1))}, or choose another head"
    if isinstance(error, KeyError) and (unknown := _NOT_REGISTERED.search(message)):
        files = [name for name, _ in missing_plugins(cfg.get("plugins"))]
        return (
            f"{what} cannot be built: no part is registered under the name {unknown[1].strip(chr(34) + chr(39))}; check"
            f" its spelling, or add the file of yours that registers it with {plugin_flags(files or ['FILE'])}"
        )
    if isinstance(error, _SHORT_MESSAGES):
        message = f"{type(error).__name__}: {message}"
    if not doing:
        return f"{what} cannot be built: {message}"
    hint = ""
    if _TOO_SMALL.search(message):
        hint = "; it needs larger crops"
    elif doing.startswith("the validation") and _UNEVEN.search(message):
        hint = (
            "; if height and width must be divisible by a number, pad the pictures with `cfg_options`"
            " model.data_preprocessor.test_cfg.size_divisor=32"
        )
    elif (size := place.node.get("img_size")) is not None:
        hint = f"; it is made for {place.key}.img_size={size}: crop to that size, or change it"
    return f"{what} fails in {doing}: {message.rstrip('.')}{hint}"


def _describe_download(cfg: Any, frames: list[FrameType], error: Exception) -> str | None:
    """Describe which key needs a download, and how to avoid it; None if no key of the config is involved."""
    texts = {value for frame in frames for value in frame.f_locals.values() if isinstance(value, str)}
    keys: dict[str, list[str]] = {}
    for key, value in walk(cfg.to_dict()):
        if isinstance(value, str) and "://" in value and value in texts:
            keys.setdefault(value, []).append(key)
    if not keys:
        return None
    reason = getattr(error, "reason", None) or error
    weights, places = next(iter(keys.items()))
    given = " ".join(f"{place}=FILE" for place in places)
    removed = " ".join(f"{_INSIDE_INIT_CFG.sub('.init_cfg', place)}=None" for place in places)
    return (
        f"cannot download the pretrained weights {weights} ({reason}): download them elsewhere and set `cfg_options`"
        f" {given}, or train from scratch with `cfg_options` {removed}"
    )


def _kind(node: dict) -> str:
    kind = node["type"]
    return kind.rpartition(".")[2] if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
