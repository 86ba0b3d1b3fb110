"""What a feature changes in a config, as data: so that two that contradict each other are found."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from mmengine.config import Config, ConfigDict

from semseg.config.hooks import ensure_hook, note
from semseg.config.options import pick

Key = tuple[str | int, ...]
_REMOVED = object()
_SHARED = ("custom_hooks",)  # features add to it, and none owns it


@dataclasses.dataclass(frozen=True)
class Patch:
    """What a feature changes.

    Attributes:
        values: by key, such as `("train_cfg", "max_iters")`; a number is a place in a list.
        wraps: by key of a part, such as a data set: what is put around it after the values are set, and the key that
            the part gets in there; several features may wrap the same part.
        hooks: custom hooks that the run needs; where the config has one of the type, that one stays.
        notes: lines for the log of the run: what was changed, and why.
    """

    values: Mapping[Key, Any] = dataclasses.field(default_factory=dict)
    wraps: Mapping[Key, tuple[Mapping[str, Any], str]] = dataclasses.field(default_factory=dict)
    hooks: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()


def key_of(place: str) -> Key:
    """Return the key of a place that is written with dots, as `semseg.config.tree` yields it."""
    return tuple(int(part) if part.isdecimal() else part for part in place.split("."))


def changes(cfg: Config, edit: Callable[[Config], None]) -> Patch:
    """Return what `edit` would change in a config, which stays as it is.

    Args:
        cfg: not changed.
        edit: called with a copy that it changes.
    """
    edited = copy.deepcopy(cfg)
    edit(edited)
    return Patch(dict(_differences(cfg.to_dict(), edited.to_dict(), ())))


def apply_patch(cfg: Config, patch: Patch, feature: str, owners: dict[Key, str]) -> None:
    """Change a config as a patch says. Modifies `cfg` and `owners`.

    Args:
        cfg: to be changed.
        patch: of the feature.
        feature: its name.
        owners: which feature has set which key so far; those of the patch are added.

    Raises:
        RuntimeError: another feature has set one of the keys, or a part of one, to another value.
    """
    for key, value in patch.values.items():
        if _has(cfg, key, value):
            continue
        if key[0] not in _SHARED:
            before = next((other for other in owners if other[: len(key)] == key and owners[other] != feature), None)
            if before is not None:
                shown = ".".join(map(str, before))
                raise RuntimeError(f"the features {owners[before]} and {feature} both set {shown}; only one may")
            owners[key] = feature
        _set(cfg, key, value)
    for key, (wrapper, inner) in patch.wraps.items():
        _set(cfg, key, {**wrapper, inner: _get(cfg, key)})
    for hook in patch.hooks:
        ensure_hook(cfg, dict(hook))
    for line in patch.notes:
        note(cfg, line)


def apply_features(cfg: Config, features: Sequence[tuple[ModuleType, type]], asked: Mapping[str, Any]) -> Config:
    """Return what features make of a config, one after the other.

    Args:
        cfg: not changed.
        features: modules with `configure`, each with the dataclass of its options.
        asked: by the name of the option; what is left out has its default.

    Raises:
        RuntimeError: two of them set the same key.
    """
    cfg = copy.deepcopy(cfg)
    owners: dict[Key, str] = {}
    for feature, kind in features:
        name = feature.__name__.rpartition(".")[2]
        apply_patch(cfg, feature.configure(cfg, pick(kind, asked)), name, owners)
    return cfg


def _differences(before: Any, after: Any, key: Key) -> Iterator[tuple[Key, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            if name not in after:
                yield (*key, name), _REMOVED
            elif name not in before:
                yield (*key, name), after[name]
            else:
                yield from _differences(before[name], after[name], (*key, name))
    elif isinstance(before, (list, tuple)) and type(before) is type(after) is list and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, (*key, number))
    elif not _is_equal(before, after):
        yield key, after


def _is_equal(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    try:
        return bool(one == other)
    except (ValueError, RuntimeError):  # arrays and tensors compare element by element
        return repr(one) == repr(other)


def _get(cfg: Config, key: Key) -> Any:
    node: Any = cfg
    for part in key:
        node = node[part]
    return node


def _has(cfg: Config, key: Key, value: Any) -> bool:
    try:
        present = _get(cfg, key)
    except (KeyError, IndexError, TypeError):
        return False
    return _is_equal(present, value)


def _set(cfg: Config, key: Key, value: Any) -> None:
    node = _get(cfg, key[:-1])
    if value is _REMOVED:
        node.pop(key[-1])
    else:
        # as MMEngine keeps them: dicts with attributes, at any depth
        node[key[-1]] = ConfigDict(value=value)["value"]
