"""From a config file and a command line to one finished config.

This is the only module that reads config files. The config that it returns is complete: later steps read it, and do
not edit it.
"""

from __future__ import annotations

import argparse
import copy
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.utils import import_modules_from_strings

from semseg import compat
from semseg.checkpoints.reading import SUFFIXES as CHECKPOINT_SUFFIXES
from semseg.checkpoints.reading import is_checkpoint, read_checkpoint
from semseg.config.class_count import check_class_count
from semseg.config.class_weights import check_class_weights, leave_out_class_weights
from semseg.config.classes import (
    check_classes,
    concatenate_lists,
    set_num_classes_of_mask_loaders,
    use_load_photograph,
)
from semseg.config.dataset_files import join_set_names, set_name, use_dataset_files
from semseg.config.from_checkpoint import (
    config_of_checkpoint,
    existing_checkpoint,
    leave_out_pretrained,
    warn_of_differences,
)
from semseg.config.keys import check_file, check_option
from semseg.config.metrics import use_confusion_metric
from semseg.config.packages import check_packages, how_to_install, missing_import
from semseg.config.padding import pad_for_backbone
from semseg.config.plugin_files import import_plugins
from semseg.config.plugin_records import import_custom_imports, merge_records, warn_of_changes
from semseg.config.rare_crops import crop_around_rare_classes
from semseg.config.recipes import find_recipe, recipes, shown_path
from semseg.config.schedule import fit_schedule, length_of
from semseg.config.tree import datasets_of
from semseg.config.version0 import check_version, name_in_version_1
from semseg.config.views import scale_views
from semseg.errors import InvalidCheckpointError, InvalidConfigError, MissingConfigError
from semseg.system.objects.addresses import is_address, refuse_address
from semseg.system.objects.local_copies import cached_model


def load_config(
    path: str | Path,
    options: Sequence[str] = (),
    *,
    work_dir: str | Path | None = None,
    launcher: str = "none",
    seed: int | None = None,
    data: str | Path | Sequence[str | Path] | None = None,
    content: Mapping[str, Any] | None = None,
    plugins: str | Path | Sequence[str | Path] | None = None,
) -> Config:
    """Read a config file, check it, and apply the command line to it.

    Args:
        path: a Python config file with `_base_` files, as in MMSegmentation; or the name of a config of this project,
            such as `pspnet_r18-d8_1xb4-1000_toycity-128x256`; or a checkpoint that describes itself, for testing and
            predicting.
        options: `key.path=value` strings, as for `--cfg-options`.
        work_dir: folder that the run writes to; default: the config's own, else `work_dirs/<name of the file>`, with
            `data` `work_dirs/<name of the file>_<name of the set>`.
        launcher: none, pytorch, slurm or mpi.
        seed: default: the config's own, else drawn by MMEngine and logged.
        data: a dataset.yaml that replaces the config's own data set, its splits and its classes; scales and crops are
            fitted to its pictures. Several files with the same classes are read as one set.
        content: of the checkpoint that the config is for, from `read_checkpoint`: pictures of `data` are scaled as in
            its training. Default: of `path`, if that is a checkpoint; else a training begins.
        plugins: Python files or modules that register parts of yours, such as a loss; they are imported first.

    Raises:
        FileNotFoundError: no such file; the sentence names the nearest one.
        ValueError: a key in the file or in `options` has no effect; or a head has another number of classes than the
            data set; or a checkpoint has no description.

    Example:
        >>> from semseg.config import load_config
        >>> cfg = load_config("pspnet_r18-d8_1xb4-1000_toycity-128x256", ["train_cfg.max_iters=400"])
        >>> cfg.train_cfg.max_iters
        400
        >>> cfg.work_dir
        'work_dirs/pspnet_r18-d8_1xb4-1000_toycity-128x256'
    """
    if work_dir is not None:
        refuse_address(work_dir, "work_dir")
    path = cached_model(path) if is_address(path) else Path(path)
    if not path.exists():
        path = find_recipe(path) or path
    try:
        return _read_and_check(path, options, work_dir, launcher, seed, data, content, plugins)
    except (AttributeError, TypeError, LookupError) as error:
        if not is_checkpoint(path):
            raise
        raise InvalidCheckpointError(
            f"{path}: its description does not make a config ({type(error).__name__}: {error}): name the config too",
            code="E-checkpoint-description",
        ) from error


def _read_and_check(
    path: Path,
    options: Sequence[str],
    work_dir: str | Path | None,
    launcher: str,
    seed: int | None,
    data: str | Path | Sequence[str | Path] | None,
    content: Mapping[str, Any] | None,
    plugins: str | Path | Sequence[str | Path] | None,
) -> Config:
    compat.repair()
    import_modules_from_strings(["semseg.plugins"])  # every run uses hooks of this project
    imported = import_plugins(plugins)
    if is_checkpoint(path):
        cfg, name = config_of_checkpoint(existing_checkpoint(path), content)
    else:
        cfg, name = _read_config(path), path.stem
        imported += import_custom_imports(cfg, path)
        warn_of_changes(cfg.get("plugins"), path)  # of a config that a run has written
    if records := merge_records(cfg.get("plugins"), imported):
        cfg.plugins = records
    concatenate_lists(cfg)
    dataset_paths = [data] if isinstance(data, (str, Path)) else list(data or ())
    if dataset_paths:
        use_dataset_files(cfg, dataset_paths, {} if content is None and is_checkpoint(path) else content)
    planned = length_of(cfg)
    _apply_options(cfg, options)
    _refuse_stored_data(cfg)
    if dataset_paths or is_checkpoint(path):
        scale_views(cfg, insert=bool(dataset_paths))
    check_packages(cfg)
    _make_window_sizes_pairs(cfg)
    fit_schedule(cfg, planned, options)
    crop_around_rare_classes(cfg)
    use_confusion_metric(cfg)
    check_classes(cfg, path)
    set_num_classes_of_mask_loaders(cfg)
    use_load_photograph(cfg)
    pad_for_backbone(cfg)
    check_class_weights(cfg, path)
    set_names = join_set_names(list(map(set_name, dataset_paths)), list(map(str, dataset_paths)))
    folder_name = f"{name}_{set_names}" if set_names else name
    cfg.work_dir = str(work_dir or cfg.get("work_dir") or Path("work_dirs") / folder_name)
    cfg.launcher = launcher
    if seed is not None:
        cfg.randomness = dict(cfg.get("randomness", {}), seed=seed)
    if launcher != "none" and not torch.cuda.is_available():
        cfg.model, cfg.model_wrapper_cfg = compat.prepare_for_cpu_processes(cfg.model)
        cfg.model_wrapper_cfg.find_unused_parameters = cfg.get("find_unused_parameters", False)
    return cfg


def _make_window_sizes_pairs(cfg: Config) -> None:
    """Write `crop_size=256` of sliding windows as a pair, which MMSegmentation expects. Modifies `cfg`."""
    test_cfg = cfg.model.get("test_cfg") or {}
    for name in ("crop_size", "stride"):
        if isinstance(test_cfg.get(name), int):
            test_cfg[name] = (test_cfg[name], test_cfg[name])


def for_inference(cfg: Config, checkpoint: str | Path, content: Mapping[str, Any] | None = None) -> Config:
    """Return the config of a model that only predicts; it needs no data set and no network.

    Args:
        cfg: from `load_config`; not changed.
        checkpoint: file of the weights that will be loaded.
        content: of the checkpoint, from `read_checkpoint`; default: it is read here.

    Raises:
        FileNotFoundError: no such checkpoint; the sentence lists the others in its folder.
        ValueError: it holds a model with another number of classes.

    ```python
    cfg = for_inference(load_config("best.pth"), "best.pth")
    ```
    """
    cfg = copy.deepcopy(cfg)
    checkpoint = existing_checkpoint(checkpoint)
    content = read_checkpoint(checkpoint, mmap=True) if content is None else content
    check_class_count(cfg, checkpoint, content)
    warn_of_differences(cfg, content, checkpoint)
    leave_out_class_weights(cfg)
    leave_out_pretrained(cfg.model)
    return cfg


def _read_config(path: Path) -> Config:
    if not path.is_file():
        hint = _suggest_config(path) or name_in_version_1(path.stem)
        raise MissingConfigError(f"no config file {path}{hint}", code="E-config-missing")
    for folder in (Path.cwd(), path.parent.resolve()):  # a config may import modules in its folder
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    try:
        check_version(path)
        check_file(path)
        cfg = Config.fromfile(path, import_custom_modules=False)
    except ImportError as error:
        missing = missing_import(error)
        needs = str(error) if missing is None else f"an import needs {missing}, {how_to_install(missing)}"
        raise InvalidConfigError(f"{path}: {needs}", code="E-config-package") from error
    except UnicodeDecodeError as error:
        suffixes = ", ".join(CHECKPOINT_SUFFIXES)
        raise InvalidConfigError(
            f"{path} is no config, which is text; the name of a checkpoint ends with {suffixes}",
            code="E-config-unreadable",
        ) from error
    except (SyntaxError, NameError, TypeError, KeyError, AttributeError) as error:
        raise InvalidConfigError(
            f"{path} is not a config that can be read: {error}", code="E-config-unreadable"
        ) from error
    if "model" not in cfg:
        raise InvalidConfigError(
            f"{path} has no 'model'; a config composes a model, a dataset, a schedule by _base_",
            code="E-config-unreadable",
        )
    return cfg


def _suggest_config(path: Path) -> str:
    by_name = recipes()
    near = [name for name in by_name if path.stem in name] or difflib.get_close_matches(path.stem, by_name, 1, 0.5)
    return f"; did you mean {shown_path(by_name[near[0]])}?" if near else ""


def _refuse_stored_data(cfg: Config) -> None:
    """Raise a ValueError if a data set has its root in object storage, and its pipeline no backend of MMEngine."""
    for dataset in datasets_of(cfg, "train_dataloader", "val_dataloader", "test_dataloader"):
        if dataset.get("data_root") and not any("backend_args" in step for step in dataset.get("pipeline") or ()):
            refuse_address(dataset["data_root"], "data_root")


def _apply_options(cfg: Config, options: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("option", nargs="+", action=DictAction)  # parses values as MMEngine does
    for option in options:
        if "=" not in option:
            raise InvalidConfigError(f"`cfg_options` {option}: expected key.path=value", code="E-config-value")
        key = option.partition("=")[0]
        check_option(cfg, key)
        try:
            value = parser.parse_args([option]).option[key]
            _check_no_dict(option, value)
            cfg.merge_from_dict(_replacing_plain_values(cfg, key, value))
        except (TypeError, KeyError, AssertionError) as error:
            raise InvalidConfigError(f"`cfg_options` {option}: {error}", code="E-config-value") from error


def _check_no_dict(option: str, value: Any) -> None:
    """Raise if a value, or a part of it, is a dict, which MMEngine would take as text."""
    if isinstance(value, (list, tuple)):
        for part in value:
            _check_no_dict(option, part)
    elif isinstance(value, str) and value.lstrip().startswith(("dict(", "{")):
        raise InvalidConfigError(
            f"`cfg_options` {option}: a value cannot be a dict here; give one option for each key in it, such as"
            " optim_wrapper.optimizer.lr=0.01, or write a config file",
            code="E-config-value",
        )


def _replacing_plain_values(cfg: Config, key: str, value: Any) -> dict:
    """Return the dict to merge; with it `clip_grad.max_norm=1` replaces a `clip_grad=None`, which MMEngine refuses."""
    parent, _, leaf = key.rpartition(".")
    node: Any = cfg.to_dict()
    for part in parent.split(".") if parent else ():
        node = node[int(part)] if isinstance(node, (list, tuple)) else node.get(part, {})
        if node is None:
            return {parent: {"_delete_": True, leaf: value}}
    return {key: value}
