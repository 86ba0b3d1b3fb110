"""The sizes in the config of a run: scales, crops, padding, sliding windows. They follow the pictures of `data`."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from semseg.config.scaling_steps import format_scale
from semseg.config.tree import inner_datasets_with_keys, type_name, walk
from semseg.system.wording import listing

_STEP_KEYS = ("scale", "scales", "max_size", "img_scale", "crop_size", "size")
_MODEL_KEYS = ("data_preprocessor.size", "data_preprocessor.size_divisor", "test_cfg.crop_size", "test_cfg.stride")
KEPT_PIXELS = "min_kept"
"""A number of pixels of a crop, in hard example mining."""
_NUM_SHOWN = 4


class _Size(NamedTuple):
    """A size in a config.

    Attributes:
        key: its place in the config.
        label: its name in messages.
        value: a side, a pair, a list of them, or None.
    """

    key: str
    label: str
    value: Any


class SizeDifference(NamedTuple):
    """Other sizes in a run than in the one before.

    Attributes:
        before: text, such as `RandomResize.scale 720x360`.
        now: text.
        options: values of `cfg_options` that set the sizes as before.
    """

    before: str
    now: str
    options: str


def compare_sizes(before: Mapping, now: Mapping, has_rare_crops: bool) -> SizeDifference | None:
    """Compare the sizes of training and validation in two configs of runs; None if they are the same.

    Steps are compared by their type, so other steps between them are no difference.

    Args:
        before, now: plain configs.
        has_rare_crops: whether `rare_crops` has wrapped the data sets of the second one.
    """
    sizes_before, sizes_now = _sizes_of(before), _sizes_of(now)
    shared = [name for name in sizes_before if name in sizes_now]
    different = [name for name in shared if _as_tuple(sizes_before[name].value) != _as_tuple(sizes_now[name].value)]
    if not different:
        return None
    options = (
        f"{_without_wrappers(sizes_now[name].key, now, has_rare_crops)}={_as_option(sizes_before[name].value)}"
        for name in different
    )
    return SizeDifference(
        _describe(sizes_before[name] for name in different),
        _describe(sizes_now[name] for name in different),
        " ".join(map(shlex.quote, options)),
    )


def _sizes_of(config: Mapping) -> dict[tuple, _Size]:
    """Return the sizes by a name: loader, number of the data set, type of the step, its number, key."""
    sizes: dict[tuple, _Size] = {}
    for loader in ("train_dataloader", "val_dataloader"):
        for number, (place, dataset) in enumerate(_datasets_in(config, loader)):
            seen: Counter = Counter()
            for key, step in walk(dataset.get("pipeline", []), f"{place}.pipeline"):
                if isinstance(step, Mapping) and "type" in step:
                    seen[type_name(step)] += 1
                    for name in (name for name in _STEP_KEYS if name in step):
                        identity = (loader, number, type_name(step), seen[type_name(step)], name)
                        sizes[identity] = _Size(f"{key}.{name}", f"{type_name(step)}.{name}", step[name])
    model = config.get("model") or {}
    for name in _MODEL_KEYS:
        part, _, key = name.partition(".")
        if part != "test_cfg" or (model.get(part) or {}).get("mode") == "slide":
            place = f"model.{name}"
            sizes["model", place] = _Size(place, place, (model.get(part) or {}).get(key))
    for key, part in walk(model, "model"):
        if isinstance(part, Mapping) and KEPT_PIXELS in part:
            place = f"{key}.{KEPT_PIXELS}"
            sizes["model", place] = _Size(place, place, part[KEPT_PIXELS])
    # the description of a checkpoint may hold anything, and messages show the values
    return {name: size for name, size in sizes.items() if _holds_numbers(size.value)}


def _holds_numbers(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_holds_numbers, value))
    return value is None or isinstance(value, (int, float))


def _datasets_in(config: Mapping, loader: str) -> Iterator[tuple[str, Any]]:
    dataset = (config.get(loader) or {}).get("dataset")
    return inner_datasets_with_keys(dataset, f"{loader}.dataset") if dataset else iter(())


def _without_wrappers(key: str, config: Mapping, has_rare_crops: bool) -> str:
    """Return the place that a size has when `cfg_options` are applied, before the run wraps its data sets."""
    loader, _, rest = key.partition(".dataset.")
    wrappers = ("SeededDataset", "RareClassDataset") if has_rare_crops else ("SeededDataset",)
    dataset = (config.get(loader) or {}).get("dataset") or {}
    while type_name(dataset) in wrappers and rest.startswith("dataset."):
        dataset, rest = dataset["dataset"], rest.removeprefix("dataset.")
    return f"{loader}.dataset.{rest}" if rest else key


def _describe(sizes: Iterable[_Size]) -> str:
    return listing(dict.fromkeys(f"{size.label} {format_scale(size.value)}" for size in sizes), _NUM_SHOWN)


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, (list, tuple)) else value


def _as_option(value: Any) -> str:
    """Write a size for `cfg_options`: pairs are tuples, which steps expect; a list holds scales to choose from."""
    return repr(value).replace(" ", "")
