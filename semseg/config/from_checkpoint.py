"""The config of a checkpoint that describes itself, as far as a test or a prediction needs it.

What stands in a file from elsewhere is not believed: MMEngine imports modules, calls functions by name, reads
pickles and deletes folders if a config says so. Only the model, its data and the metric are taken over; names have
to be those of registered classes, which are looked up here and never imported; everything else about the run is
this project's own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import mmseg.registry
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.utils import import_modules_from_strings

from semseg import compat
from semseg.checkpoints.description import description_of
from semseg.checkpoints.reading import checkpoint_stem, is_checkpoint, read_checkpoint
from semseg.errors import InvalidCheckpointError, MissingCheckpointError

_PACKAGES = ("mmseg", "mmengine", "mmcv", "semseg", "torch")
_LEFT_OUT = ("pretrained", "init_cfg", "backend_args", "file_client_args", "_delete_", "_scope_")
"""Weights from elsewhere, servers to read from (memcached imports a module from a folder)."""
_WRAPPERS = ("ConcatDataset", "RepeatDataset", "ClassBalancedDataset")
_METRICS = ("IoUMetric", "ConfusionMetric", "PerClassIoUMetric")  # the last: what ConfusionMetric was called first
_FROM_ELSEWHERE = ("VPD", "TIMMBackbone")  # backbones that build what another file names, or fetch it
_RUNTIME = dict(
    default_scope="mmseg",
    env_cfg=dict(
        cudnn_benchmark=True, mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0), dist_cfg=dict(backend="nccl")
    ),
    visualizer=dict(type="SegLocalVisualizer", vis_backends=[dict(type="LocalVisBackend")], name="visualizer"),
    log_processor=dict(type="SegLogProcessor", by_epoch=False),
    test_cfg=dict(type="TestLoop"),
)


def existing_checkpoint(path: str | Path) -> Path:
    """Return `path` if a file is there.

    Raises:
        FileNotFoundError: it is not; the sentence lists the checkpoints of that folder.
    """
    path = Path(path)
    if path.is_file():
        return path
    beside = sorted(p.name for p in path.parent.glob("*") if is_checkpoint(p))
    hint = f"; {path.parent} holds {', '.join(beside)}" if beside else f"; {path.parent} holds none"
    raise MissingCheckpointError(f"no checkpoint {path}{hint}")


def config_of_checkpoint(path: Path, content: Mapping[str, Any] | None = None) -> tuple[Config, str]:
    """Build a config out of the description in a checkpoint; nothing in it is executed.

    With `--trust-checkpoint` the modules that its config imports are imported.

    Args:
        path: an existing checkpoint.
        content: of the checkpoint, from `read_checkpoint`; default: it is read here.

    Returns:
        The config for testing and predicting, and the name of the config that it was trained with.

    Raises:
        ValueError: the file does not describe itself, or names what is not registered; the sentence says which.
    """
    description = description_of(read_checkpoint(path, mmap=True) if content is None else content, path)
    config = description.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise InvalidCheckpointError(
            f"{path} does not describe its model: name the config that it was trained with, before it"
        )
    imports = config.get("custom_imports") or {}
    if not compat.checkpoints_are_trusted():
        compat.use_registered_names_only()
    elif imports:
        import_modules_from_strings(**imports)
    reader = _Reader(path, imports)
    cfg = {
        **_RUNTIME,
        "model": reader.read(config["model"], "model", "MODELS", "TASK_UTILS"),
        "custom_hooks": [dict(type="ProgressBarHook")],
    }
    if isinstance(config.get("data_preprocessor"), dict):
        cfg["data_preprocessor"] = reader.read(config["data_preprocessor"], "data_preprocessor", "MODELS")
    if any(hook == {"type": "ChannelsLastHook"} for hook in config.get("custom_hooks") or ()):
        cfg["custom_hooks"].append(dict(type="ChannelsLastHook"))  # other layouts round otherwise
    loader = config.get("test_dataloader")
    if not isinstance(loader, dict) or not isinstance(loader.get("dataset"), dict):
        raise InvalidCheckpointError(
            f"{path} does not say how it is tested: name the config that it was trained with, before it"
        )
    cfg["test_dataloader"] = dict(
        batch_size=_number(loader.get("batch_size"), 1),
        num_workers=_number(loader.get("num_workers"), 0),
        sampler=dict(type="DefaultSampler", shuffle=False),
        dataset=reader.read(loader["dataset"], "test_dataloader.dataset", "DATASETS"),
    )
    evaluator = config.get("test_evaluator")
    if isinstance(evaluator, dict) and evaluator.get("type") in _METRICS:
        metrics = [name for name in ("mIoU", "mDice", "mFscore") if name in (evaluator.get("iou_metrics") or ["mIoU"])]
        cfg["test_evaluator"] = dict(type="ConfusionMetric", iou_metrics=metrics)
    if isinstance(config.get("tta_pipeline"), (list, tuple)):
        cfg["tta_model"] = dict(type="SegTTAModel")
        cfg["tta_pipeline"] = reader.read(config["tta_pipeline"], "tta_pipeline", "TRANSFORMS")
    config_file = description.get("config_file")
    return Config(cfg), Path(str(config_file)).stem if config_file else checkpoint_stem(path)


def leave_out_pretrained(node: Any) -> None:
    """Take the weights that a model would start its training from out of its config (in place): no network needed."""
    if isinstance(node, dict):
        if node.get("pretrained") is not None:
            node["pretrained"] = None
        start = node.get("init_cfg")
        starts = start if isinstance(start, (list, tuple)) else [start]
        if any(isinstance(one, dict) and one.get("type") == "Pretrained" for one in starts):
            node["init_cfg"] = None
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, (list, tuple)) else ():
        leave_out_pretrained(child)


class _Reader:
    """Take over parts of a config that a stranger may have written.

    Args:
        path: of the checkpoint, for the messages.
        imports: what its config imports, for the messages.
    """

    def __init__(self, path: Path, imports: Any) -> None:
        self._path = path
        names = imports.get("imports") if isinstance(imports, dict) else imports
        names = [names] if isinstance(names, str) else names if isinstance(names, (list, tuple)) else []
        self._imports = [str(name) for name in names if str(name).partition(".")[0] not in _PACKAGES]
        self._classes = {
            kind: _classes_in(getattr(mmseg.registry, kind))
            for kind in ("MODELS", "TASK_UTILS", "DATASETS", "TRANSFORMS")
        }

    def read(self, node: Any, place: str, *kinds: str) -> Any:
        """Return a copy of what is harmless.

        Args:
            node: plain data.
            place: where it stands in the config.
            kinds: registries that know its types.

        Raises:
            ValueError: the first thing that is not.
        """
        if isinstance(node, dict):
            copy = {}
            for key, value in node.items():
                here = f"{place}.{key}"
                if not (isinstance(key, int) or (isinstance(key, str) and key.isidentifier())):
                    raise self._refusal(here, "is no name")  # the config is written down as Python
                if key in _LEFT_OUT or (key == "class_weight" and isinstance(value, str)):  # a file, maybe a pickle
                    continue
                if key == "type":
                    copy[key] = self._type(value, here, kinds)
                elif str(key).endswith("type") and "." in str(value):  # resize_type names a class too
                    raise self._refusal(here, f"is {value!r}, which is not a part of MMSegmentation or this project")
                else:
                    inner = ("TRANSFORMS",) if key in ("pipeline", "transforms") else kinds
                    copy[key] = self.read(value, here, *inner)
            return copy
        if isinstance(node, (list, tuple)):
            parts = [self.read(child, f"{place}.{i}", *kinds) for i, child in enumerate(node)]
            return tuple(parts) if isinstance(node, tuple) else parts
        if isinstance(node, str) and "://" in node:
            raise self._refusal(place, f"is {node!r}, and nothing is fetched for a checkpoint")
        if isinstance(node, str) and node == "pickle":
            raise self._refusal(place, "is 'pickle', which can run code")
        if node is None or isinstance(node, (bool, int, float, str)):
            return node
        raise self._refusal(place, f"is a {type(node).__name__}, not plain data")

    def _type(self, value: Any, place: str, kinds: Collection[str]) -> str:
        package, _, rest = str(value).partition(".")
        name = rest.rpartition(".")[2] if rest and package in _PACKAGES else str(value)
        known = [self._classes[kind] for kind in kinds] if isinstance(value, str) else []
        found = next((classes[name] for classes in known if name in classes), None)
        if name in _FROM_ELSEWHERE:
            raise self._refusal(place, f"is {value!r}, which builds what another file or site names")
        if found is None:
            hint = f" (its config imports {', '.join(self._imports)})" if self._imports else ""
            raise self._refusal(place, f"is {value!r}, which is not a part of MMSegmentation or this project{hint}")
        if "DATASETS" in kinds and name not in _WRAPPERS and not _lists_files_plainly(found):
            raise self._refusal(place, f"is {value!r}, which reads more than folders and lists of names")
        return name

    def _refusal(self, place: str, fault: str) -> ValueError:
        return InvalidCheckpointError(
            f"{self._path} is not used without a config: in its description, {place} {fault}; name the config that"
            " it was trained with, before it"
        )


def _classes_in(registry: Registry) -> dict[str, Any]:
    """Return what a registry and its parents know, by name, without the search that imports modules."""
    registry.import_from_location()
    known = dict(registry.module_dict)
    while (registry := registry.parent) is not None:
        known = {**registry.module_dict, **known}
    return known


def _lists_files_plainly(dataset: Any) -> bool:
    from mmseg.datasets import BaseSegDataset  # greets when it is imported before the stack is repaired

    if getattr(dataset, "__module__", "").startswith("semseg."):
        return True
    return getattr(dataset, "load_data_list", None) is BaseSegDataset.load_data_list


def _number(value: Any, default: int) -> int:
    return value if type(value) is int and 0 <= value <= 64 else default
