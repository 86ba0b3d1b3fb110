"""Changes of a feature to a config, as data, so that two features that set the same key are detected."""

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
_SHARED = ("custom_hooks",)  # all features may add to these keys


@dataclasses.dataclass(frozen=True)
class Patch:
    """Changes of a feature to a config.

    Attributes:
        values: new values by key, such as `("train_cfg", "max_iters")`; a number is an index in a list.
        wraps: by key of a part, such as a data set: its wrapper, and the key of the part in the wrapper. Parts are
            wrapped after the values are set; several features may wrap the same part.
        hooks: custom hooks that the run needs; a hook of the same type in the config is kept.
        notes: lines for the log of the run: each change, with its reason.
    """

    values: Mapping[Key, Any] = dataclasses.field(default_factory=dict)
    wraps: Mapping[Key, tuple[Mapping[str, Any], str]] = dataclasses.field(default_factory=dict)
    hooks: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()


def key_of(place: str) -> Key:
    """Return the key of a dotted path, as yielded by `semseg.config.tree`."""
    return tuple(int(part) if part.isdecimal() else part for part in place.split("."))


def changes(cfg: Config, edit: Callable[[Config], None], *notes: str) -> Patch:
    """Return what `edit` would change in a config.

    Args:
        cfg: not changed.
        edit: called with a copy, which it modifies.
        notes: lines for the log of the run: what was changed, and why.
    """
    edited = copy.deepcopy(cfg)
    edit(edited)
    return Patch(dict(_differences(cfg.to_dict(), edited.to_dict(), ())), notes=notes)


def apply_patch(cfg: Config, patch: Patch, feature: str, owners: dict[Key, str]) -> None:
    """Apply a patch to a config. Modifies `cfg` and `owners`.

    Args:
        cfg: config to change.
        patch: patch of the feature.
        feature: name of the feature.
        owners: name of the feature that has set a key, by key; the keys of the patch are added.

    Raises:
        RuntimeError: another feature has set one of the keys, or a part of one, to another value.
    """
    for key, value in patch.values.items():
        if has_value(cfg, key, value):
            continue
        if key[0] not in _SHARED:
            conflict = next((owned for owned in owners if owned[: len(key)] == key and owners[owned] != feature), None)
            if conflict is not None:
                path = ".".join(map(str, conflict))
                raise RuntimeError(f"the features {owners[conflict]} and {feature} both set {path}; only one may")
            owners[key] = feature
        _set(cfg, key, value)
    for key, (wrapper, inner) in patch.wraps.items():
        _set(cfg, key, {**wrapper, inner: value_at(cfg, key)})
    for hook in patch.hooks:
        ensure_hook(cfg, dict(hook))
    for line in patch.notes:
        note(cfg, line)


def apply_features(
    cfg: Config, features: Sequence[tuple[ModuleType, type]], given_options: Mapping[str, Any]
) -> Config:
    """Return a copy of a config with the patches of features applied in order.

    Args:
        cfg: not changed.
        features: modules with `configure`, each with the dataclass of its options.
        given_options: values by option name; an option that is not given has its default.

    Raises:
        RuntimeError: two of them set the same key.
    """
    cfg = copy.deepcopy(cfg)
    owners: dict[Key, str] = {}
    for feature, options_class in features:
        name = feature.__name__.rpartition(".")[2]
        apply_patch(cfg, feature.configure(cfg, pick(options_class, given_options)), name, owners)
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
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(old, new, (*key, index))
    elif not _is_equal(before, after):
        yield key, after


def _is_equal(first: Any, second: Any) -> bool:
    if type(first) is not type(second):
        return False
    try:
        return bool(first == second)
    except (ValueError, RuntimeError):  # arrays and tensors compare element by element
        return repr(first) == repr(second)


def value_at(cfg: Config, key: Key) -> Any:
    """Return the value of a key in a config."""
    node: Any = cfg
    for part in key:
        node = node[part]
    return node


def has_value(cfg: Config, key: Key, value: Any) -> bool:
    """Return whether a config has this value for a key."""
    try:
        present = value_at(cfg, key)
    except (KeyError, IndexError, TypeError):
        return False
    return _is_equal(present, value)


def _set(cfg: Config, key: Key, value: Any) -> None:
    node = value_at(cfg, key[:-1])
    if value is _REMOVED:
        node.pop(key[-1])
    else:
        # nested dicts become ConfigDict, as in a config that MMEngine reads
        node[key[-1]] = ConfigDict(value=value)["value"]
