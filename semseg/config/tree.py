"""Walk a config: the data sets inside wrappers such as ConcatDataset, the heads that count classes, everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")
"""The keys of the dataloaders in a config."""
_HEADS = ("decode_head", "auxiliary_head")
_OTHER_TASKS = ("STDCHead",)  # predicts edges: its two classes do not depend on the data set
_NO_HEADS = ("loss_decode", "train_cfg", "test_cfg")  # parts of a head that are not searched for inner heads


def type_name(part: Mapping[str, Any]) -> str:
    """Return the name of the class that a part of a config is built from, without its module."""
    kind = part.get("type", "")
    return getattr(kind, "__name__", str(kind)).rpartition(".")[2]


def as_list(node: Any) -> list[Any]:
    """Return a part of a config that may be absent, single or a list, such as `decode_head`, as a list."""
    return [] if node is None else list(node) if isinstance(node, (list, tuple)) else [node]


def inner_datasets(dataset: Any) -> list[Any]:
    """Return the configs of the data sets inside wrappers, in their order; a list of data sets counts as a wrapper."""
    return [inner for _, inner in inner_datasets_with_keys(dataset, "")]


def inner_datasets_with_keys(dataset: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield each data set inside wrappers with its place in the config, such as `train_dataloader.dataset.dataset`.

    Args:
        dataset: config of a data set or wrapper, or a list of them.
        key: its place in the config.
    """
    if isinstance(dataset, (list, tuple)):
        for number, part in enumerate(dataset):
            yield from inner_datasets_with_keys(part, f"{key}.{number}")
    elif "datasets" in dataset:
        yield from inner_datasets_with_keys(dataset["datasets"], f"{key}.datasets")
    elif "dataset" in dataset:
        yield from inner_datasets_with_keys(dataset["dataset"], f"{key}.dataset")
    else:
        yield key, dataset


def datasets_of(cfg: Any, *loaders: str) -> list[Any]:
    """Return the configs of the data sets that dataloaders read, without those that the config does not have.

    Args:
        cfg: a whole config.
        loaders: keys of the dataloaders, such as `val_dataloader`.
    """
    return [dataset for name in loaders if cfg.get(name) is not None for dataset in inner_datasets(cfg[name].dataset)]


def first_pipeline(cfg: Any, *loaders: str) -> Any:
    """Return the pipeline of the first data set of the first of these dataloaders that a config has; [] if it has none.

    Args:
        cfg: a whole config.
        loaders: keys of the dataloaders, the preferred one first.
    """
    loader = next((cfg[name] for name in loaders if cfg.get(name) is not None), None)
    return [] if loader is None else inner_datasets(loader.dataset)[0].get("pipeline", [])


def built_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the data sets inside wrappers, all built by MMEngine."""
    if hasattr(dataset, "datasets"):
        for part in dataset.datasets:
            yield from built_datasets(part)
    elif hasattr(dataset, "dataset"):
        yield from built_datasets(dataset.dataset)
    else:
        yield dataset


def heads(model: Any) -> list[Any]:
    """Return the configs of a model's decode and auxiliary heads, in this order, without heads inside heads."""
    return [head for name in _HEADS for head in as_list(model.get(name))]


def parts_with_type(node: Any) -> Iterator[dict]:
    """Yield every part of a config that is built from a `type`, from the outside in."""
    yield from (part for _, part in walk(node) if isinstance(part, dict) and "type" in part)


def counting_heads(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the heads with `num_classes` in a model's config, heads inside heads included, each with its key."""
    for name in _HEADS:
        yield from _with_num_classes(model.get(name), f"model.{name}")


def class_weights(node: Any, key: str) -> Iterator[tuple[str, Any, list]]:
    """Yield every list of class weights in a part of a config: its key, the dict that holds it, the list."""
    items = dict(enumerate(node)) if isinstance(node, (list, tuple)) else node
    for name, child in list(items.items()) if isinstance(items, dict) else ():
        if name == "class_weight" and isinstance(child, (list, tuple)):
            yield f"{key}.{name}", node, list(child)
        else:
            yield from class_weights(child, f"{key}.{name}")


def may_weigh_no_object(place: str, loss: Any) -> bool:
    """Return whether a loss may have one class weight more than there are classes, for masks that match no object.

    A loss of scores per pixel has none. A loss in `loss_decode` rates masks only if its name says so, as in SAN.

    Args:
        place: key of the class weights, from `class_weights`.
        loss: the dict that holds them.
    """
    return "loss_decode" not in place.split(".") or "loss_cls" in str(loss.get("loss_name"))


def walk(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a part of a config and everything inside it, each with its key, from the outside in."""
    yield key, node
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, (list, tuple)) else ()
    for name, child in items:
        yield from walk(child, f"{key}.{name}" if key else str(name))


def leaves(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of a config with their keys; a list of plain values is one value."""
    if isinstance(node, dict):
        parts = node.items()
    elif isinstance(node, (list, tuple)) and any(isinstance(part, (dict, list, tuple)) for part in node):
        parts = enumerate(node)
    else:
        yield key, node
        return
    for name, part in parts:
        yield from leaves(part, f"{key}.{name}" if key else str(name))


def edited(node: Any, edit: Callable[[Mapping[str, Any]], dict]) -> Any:
    """Return a part of a config in which `edit` has replaced every part with a `type`, from the inside out."""
    if isinstance(node, (list, tuple)):
        return type(node)(edited(child, edit) for child in node)  # crop sizes stay tuples
    if not isinstance(node, Mapping):
        return node
    changed = {key: edited(value, edit) for key, value in node.items()}
    return edit(changed) if "type" in changed else changed


def _with_num_classes(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, (list, tuple)):
        for number, child in enumerate(node):
            yield from _with_num_classes(child, f"{key}.{number}")
    elif isinstance(node, dict) and node.get("type") not in _OTHER_TASKS:
        if node.get("num_classes") is not None:
            yield key, node
        for name, child in node.items():
            if name not in _NO_HEADS:
                yield from _with_num_classes(child, f"{key}.{name}")
