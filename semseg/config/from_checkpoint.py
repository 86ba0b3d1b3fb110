"""Build a config from the description in a checkpoint, for testing and predicting.

A checkpoint from elsewhere is not trusted: MMEngine imports modules, calls functions by name, reads pickles and
deletes folders if a config says so. Therefore only the model, its data and the metric are copied. Names must be those
of registered classes, which are looked up and never imported. Everything else about the run is set by this project.
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
from semseg.config.bands import check_loaders
from semseg.config.packages import how_to_install, is_installed
from semseg.config.plugin_files import is_of_plugin
from semseg.config.plugin_records import (
    KEY,
    STACK_PACKAGES,
    custom_import_names,
    import_custom_imports,
    missing_plugins,
    plugin_flags,
    records_of,
    warn_of_changes,
)
from semseg.config.trained_sizes import warn_of_other_sizes
from semseg.config.tree import as_list
from semseg.errors import InvalidCheckpointError, MissingCheckpointError
from semseg.system.objects.addresses import is_address
from semseg.system.objects.local_copies import cached_model

_OTHER_PARTS = {  # of MMDetection and MMPretrain in the configs of MMSegmentation; none of them reads a file
    "mmdet": (
        *("MSDeformAttnPixelDecoder", "PixelDecoder", "CrossEntropyLoss", "FocalLoss", "DiceLoss", "HungarianAssigner"),
        *("ClassificationCost", "CrossEntropyLossCost", "FocalLossCost", "DiceCost", "MaskPseudoSampler"),
    ),
    "mmpretrain": ("ConvNeXt", "PoolFormer"),
}
_LEFT_OUT = ("pretrained", "init_cfg", "backend_args", "file_client_args", "_delete_", "_scope_")
"""Keys that are not copied: weights from elsewhere, file servers (memcached imports a module from a folder)."""
_WRAPPERS = ("ConcatDataset", "RepeatDataset", "ClassBalancedDataset")
_METRICS = ("IoUMetric", "ConfusionMetric", "PerClassIoUMetric")  # the last: the first name of ConfusionMetric
_READ_OTHER_FILES = ("VPD", "TIMMBackbone")  # backbones that build what another file names, or download it
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
    """Return `path` if the file exists, or a local copy if it is an address.

    Raises:
        FileNotFoundError: it does not; the sentence lists the checkpoints in that folder.
    """
    if is_address(path):
        return cached_model(path)
    path = Path(path)
    if path.is_file():
        return path
    names = sorted(file.name for file in path.parent.glob("*") if is_checkpoint(file))
    hint = f"; {path.parent} holds {', '.join(names) or 'none'}"
    raise MissingCheckpointError(f"no checkpoint {path}{hint}", code="E-checkpoint-missing")


def config_of_checkpoint(path: Path, content: Mapping[str, Any] | None = None) -> tuple[Config, str]:
    """Build a config from the description in a checkpoint; no code in it is executed.

    If checkpoints are trusted (`--trust-checkpoint`), the modules that its config imports are imported.

    Args:
        path: an existing checkpoint.
        content: of the checkpoint, from `read_checkpoint`; default: it is read here.

    Returns:
        The config for testing and predicting, and the name of the config that it was trained with.

    Raises:
        ValueError: the file has no description, or names something that is not registered; the sentence says which.
    """
    description = description_of(read_checkpoint(path, mmap=True) if content is None else content, path)
    config = description.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise InvalidCheckpointError(
            f"{path} does not describe its model: name the config that it was trained with, before it",
            code="E-checkpoint-description",
        )
    if not compat.checkpoints_are_trusted():
        compat.use_registered_names_only()
    elif config.get("custom_imports"):
        import_custom_imports(Config({"custom_imports": config["custom_imports"]}), path)
    reader = _Reader(path, _plugin_names(config))
    cfg = {
        **_RUNTIME,
        "model": reader.read(config["model"], "model", "MODELS", "TASK_UTILS"),
        "custom_hooks": [dict(type="ProgressBarHook")],
    }
    if isinstance(config.get("data_preprocessor"), dict):
        cfg["data_preprocessor"] = reader.read(config["data_preprocessor"], "data_preprocessor", "MODELS")
    if any(hook == {"type": "ChannelsLastHook"} for hook in config.get("custom_hooks") or ()):
        cfg["custom_hooks"].append(dict(type="ChannelsLastHook"))  # another memory layout gives other rounding
    loader = config.get("test_dataloader")
    if not isinstance(loader, dict) or not isinstance(loader.get("dataset"), dict):
        raise InvalidCheckpointError(
            f"{path} does not say how it is tested: name the config that it was trained with, before it",
            code="E-checkpoint-description",
        )
    cfg["test_dataloader"] = dict(
        batch_size=_number(loader.get("batch_size"), 1),
        num_workers=_number(loader.get("num_workers"), 0),
        sampler=dict(type="DefaultSampler", shuffle=False),
        dataset=reader.read(loader["dataset"], "test_dataloader.dataset", "DATASETS"),
    )
    evaluators = [
        reader.read_evaluator(evaluator, f"test_evaluator.{number}")
        for number, evaluator in enumerate(as_list(config.get("test_evaluator")))
    ]
    if evaluators and None not in evaluators:
        cfg["test_evaluator"] = evaluators if len(evaluators) > 1 else evaluators[0]
    if missing := missing_plugins(records_of(description)):
        cfg[KEY] = [{"name": name, "sha256": digest} for name, digest in missing]
    if isinstance(config.get("tta_pipeline"), (list, tuple)):
        cfg["tta_model"] = dict(type="SegTTAModel")
        cfg["tta_pipeline"] = reader.read(config["tta_pipeline"], "tta_pipeline", "TRANSFORMS")
    config_file = description.get("config_file")
    return Config(cfg), Path(str(config_file)).stem if config_file else checkpoint_stem(path)


def warn_of_differences(cfg: Config, checkpoint: Mapping[str, Any], path: Path) -> None:
    """Warn if a config tests a checkpoint with other sizes, or with another version of a plugin, than its training did.

    Args:
        cfg: config of the model that will load the checkpoint.
        checkpoint: its content.
        path: of the checkpoint, for the messages.

    Raises:
        ValueError: the description in the checkpoint is invalid; or one reads bands, and the other photographs.
    """
    warn_of_changes(records_of(description_of(checkpoint, path)), path)
    check_loaders(cfg, checkpoint, path)
    warn_of_other_sizes(cfg, checkpoint, path)


def leave_out_pretrained(node: Any) -> None:
    """Remove pretrained weights from the config of a model, so that nothing is downloaded. Modifies `node`."""
    if isinstance(node, dict):
        if node.get("pretrained") is not None:
            node["pretrained"] = None
        inits = as_list(node.get("init_cfg"))
        if any(isinstance(init, dict) and init.get("type") == "Pretrained" for init in inits):
            node["init_cfg"] = None
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, (list, tuple)) else ():
        leave_out_pretrained(child)


class _Reader:
    """Copy parts of a config that is not trusted.

    Args:
        path: of the checkpoint, for the messages.
        plugins: names of the plugins that it was trained with and that are not imported, for the messages.
    """

    def __init__(self, path: Path, plugins: list[str]) -> None:
        self._path, self._plugins = path, plugins
        self._classes = {
            kind: _classes_in(getattr(mmseg.registry, kind))
            for kind in ("MODELS", "TASK_UTILS", "DATASETS", "TRANSFORMS", "METRICS")
        }

    def read_evaluator(self, evaluator: Any, place: str) -> dict | None:
        """Return the config of a metric of this project or of an imported plugin; None for every other one."""
        if not isinstance(evaluator, dict) or not isinstance(evaluator.get("type"), str):
            return None
        if evaluator["type"] in _METRICS:
            wanted = evaluator.get("iou_metrics") or ["mIoU"]
            metrics = [name for name in ("mIoU", "mDice", "mFscore") if name in wanted]
            return dict(type="ConfusionMetric", iou_metrics=metrics)
        if is_of_plugin(self._classes["METRICS"].get(evaluator["type"])):
            return self.read(evaluator, place, "METRICS")
        return None

    def read(self, node: Any, place: str, *kinds: str) -> Any:
        """Return a copy of a part without the keys of `_LEFT_OUT`.

        Args:
            node: plain data.
            place: its key in the config.
            kinds: names of the registries that its types are looked up in.

        Raises:
            ValueError: a value is not harmless; the first one is named.
        """
        if isinstance(node, dict):
            copy: dict[Any, Any] = {}
            for key, value in node.items():
                here = f"{place}.{key}"
                if not (isinstance(key, int) or (isinstance(key, str) and key.isidentifier())):
                    raise self._error(here, "is no name")  # the config is saved as Python code
                if key in _LEFT_OUT or (key == "class_weight" and isinstance(value, str)):  # a file, maybe a pickle
                    continue
                if key == "type":
                    copy[key] = self._type(value, here, kinds)
                elif str(key).endswith("type") and "." in str(value):  # resize_type names a class too
                    raise self._error(here, f"is {value!r}, which is not a part of MMSegmentation or this project")
                else:
                    inner = ("TRANSFORMS",) if key in ("pipeline", "transforms") else kinds
                    copy[key] = self.read(value, here, *inner)
            return copy
        if isinstance(node, (list, tuple)):
            parts = [self.read(child, f"{place}.{i}", *kinds) for i, child in enumerate(node)]
            return tuple(parts) if isinstance(node, tuple) else parts
        if isinstance(node, str) and "://" in node:
            raise self._error(place, f"is {node!r}, and nothing is fetched for a checkpoint")
        if isinstance(node, str) and node == "pickle":
            raise self._error(place, "is 'pickle', which can run code")
        if node is None or isinstance(node, (bool, int, float, str)):
            return node
        raise self._error(place, f"is a {type(node).__name__}, not plain data")

    def _type(self, value: Any, place: str, kinds: Collection[str]) -> str:
        package, _, rest = str(value).partition(".")
        if rest in _OTHER_PARTS.get(package, ()) and "MODELS" in kinds:
            if not is_installed(package):
                raise self._error(place, f"is {value!r}, {how_to_install(package)}")
            import_modules_from_strings([f"{package}.models"])
            return str(value)
        name = rest.rpartition(".")[2] if rest and package in STACK_PACKAGES else str(value)
        registries = [self._classes[kind] for kind in kinds] if isinstance(value, str) else []
        registered = next((classes[name] for classes in registries if name in classes), None)
        if name in _READ_OTHER_FILES:
            raise self._error(place, f"is {value!r}, which builds what another file or site names")
        if registered is None:
            if self._plugins and str(value).isidentifier():  # it could be the name of a class in a plugin
                raise InvalidCheckpointError(
                    f"{self._path} needs {value!r} ({place}), which is registered by a file of yours, and no checkpoint"
                    f" contains code: add {plugin_flags(self._plugins)}, with the path of each file",
                    code="E-checkpoint-plugin",
                )
            raise self._error(place, f"is {value!r}, which is not a part of MMSegmentation or this project")
        if "DATASETS" in kinds and name not in _WRAPPERS and not _lists_files_plainly(registered):
            raise self._error(place, f"is {value!r}, which reads more than folders and lists of names")
        return name

    def _error(self, place: str, fault: str) -> InvalidCheckpointError:
        return InvalidCheckpointError(
            f"{self._path} is not used without a config: in its description, {place} {fault}; name the config that"
            " it was trained with, before it",
            code="E-checkpoint-unsafe",
        )


def _plugin_names(config: Mapping[str, Any]) -> list[str]:
    """Return the names of the plugins of a config that are not imported."""
    names = custom_import_names(config.get("custom_imports")) or []
    others = [name for name in names if name.partition(".")[0] not in STACK_PACKAGES]
    # older checkpoints have no record
    recorded = config.get(KEY) or [{"name": name, "sha256": None} for name in others]
    return [name for name, _ in missing_plugins(recorded)]


def _classes_in(registry: Registry) -> dict[str, Any]:
    """Return the classes in a registry and its parents, by name, without the search that imports modules."""
    registry.import_from_location()
    classes = dict(registry.module_dict)
    parent = registry.parent
    while parent is not None:
        classes = {**parent.module_dict, **classes}
        parent = parent.parent
    return classes


def _lists_files_plainly(dataset: Any) -> bool:
    """Return whether a data set gets its files from folders and lists only."""
    from mmseg.datasets import BaseSegDataset  # prints a banner if it is imported before the repairs

    if getattr(dataset, "__module__", "").startswith("semseg.") or is_of_plugin(dataset):
        return True
    return getattr(dataset, "load_data_list", None) is BaseSegDataset.load_data_list


def _number(value: Any, default: int) -> int:
    return value if type(value) is int and 0 <= value <= 64 else default
