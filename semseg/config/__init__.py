"""From a config file and a command line to one finished config.

This is the only module that reads config files. What it returns is complete: the steps that get it read it,
they do not edit it.
"""

from __future__ import annotations

import argparse
import copy
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction

from semseg import compat
from semseg.config.class_map import translate_classes
from semseg.config.class_weights import check_class_weights, fill_in_class_weights, leave_out_class_weights
from semseg.config.classes import (
    agree_on_classes,
    check_split,
    check_training,
    use_dataset_file,
)
from semseg.config.keys import check_file, check_option


def load_config(
    path: str | Path,
    options: Sequence[str] = (),
    *,
    work_dir: str | Path | None = None,
    launcher: str = "none",
    seed: int | None = None,
    data: str | Path | None = None,
) -> Config:
    """Read a config file, check it, and apply the command line to it.

    Args:
        path: a Python config file with `_base_` files, as in MMSegmentation.
        options: `key.path=value` strings, as `--cfg-options` takes them.
        work_dir: where the run writes; default: the config's own, else `work_dirs/<name of the file>`.
        launcher: none, pytorch, slurm or mpi.
        seed: default: the config's own, else drawn by MMEngine and logged.
        data: a dataset.yaml, in place of the config's own data set: its splits, its classes.

    Raises:
        FileNotFoundError: no such file; the sentence names the nearest one.
        ValueError: a key that no run reads, in the file or in `options`, with the nearest one that is read; or
            a head that counts other classes than the data set has.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no config file {path}{_nearest_config(path)}")
    compat.repair()
    check_file(path)
    try:
        cfg = Config.fromfile(path)
    except (SyntaxError, NameError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is not a config that can be read: {error}") from error
    if "model" not in cfg:
        raise ValueError(f"{path} has no 'model'; a config composes a model, a dataset, a schedule by _base_")

    if data is not None:
        use_dataset_file(cfg, data)
    _apply_options(cfg, options)
    agree_on_classes(cfg, path)
    check_class_weights(cfg, path)
    cfg.work_dir = str(work_dir or cfg.get("work_dir") or Path("work_dirs") / path.stem)
    cfg.launcher = launcher
    if seed is not None:
        cfg.randomness = dict(cfg.get("randomness", {}), seed=seed)
    if launcher != "none" and not torch.cuda.is_available():
        cfg.model_wrapper_cfg = compat.ready_for_cpu_processes(cfg.model)
    return cfg


def for_training(cfg: Config, *, resume: bool = False, amp: bool = False) -> Config:
    """Return the config of a training run.

    Args:
        cfg: from `load_config`; not changed. `class_weight='auto'` becomes numbers.
        resume: continue the newest checkpoint of the work folder.
        amp: mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU.

    Raises:
        FileNotFoundError: `resume` and the work folder holds no checkpoint.
        ValueError: `amp` with an optimizer wrapper that has a precision of its own; a split that the data
            set does not have; other classes in validation than in training, or in the heads.
    """
    cfg = copy.deepcopy(cfg)
    check_split(cfg, "train")
    check_split(cfg, "val", "test")
    check_training(cfg)
    if resume:
        cfg.resume = True
    if cfg.get("resume") and not cfg.get("load_from") and not Path(cfg.work_dir, "last_checkpoint").is_file():
        raise FileNotFoundError(f"--resume: no checkpoint in {cfg.work_dir}; leave it out to start a new run")
    if amp and cfg.optim_wrapper.type not in ("AmpOptimWrapper", "Bf16OptimWrapper"):
        if cfg.optim_wrapper.type != "OptimWrapper":
            raise ValueError(f"--amp works with optim_wrapper.type 'OptimWrapper', not {cfg.optim_wrapper.type!r}")
        if torch.cuda.is_available():
            cfg.optim_wrapper.update(type="AmpOptimWrapper", loss_scale="dynamic")
        else:
            cfg.optim_wrapper.update(type="Bf16OptimWrapper", enabled=True)
    fill_in_class_weights(cfg)
    return cfg


def for_inference(cfg: Config) -> Config:
    """Return the config of a model that only predicts; it needs no data set.

    Args:
        cfg: from `load_config`; not changed.
    """
    cfg = copy.deepcopy(cfg)
    leave_out_class_weights(cfg)
    return cfg


def for_testing(
    cfg: Config,
    checkpoint: str | Path,
    *,
    out_dir: str | Path | None = None,
    show_dir: str | Path | None = None,
    tta: bool = False,
    map_path: str | Path | None = None,
) -> Config:
    """Return the config of an evaluation.

    Args:
        cfg: from `load_config`; not changed. Its work folder becomes `<work_dir>/test`.
        checkpoint: weights to load.
        out_dir: where to write the predicted train ids as PNG.
        show_dir: where to paint every image, truth left and prediction right.
        tta: average over scales and flips (`tta_pipeline`, `tta_model`).
        map_path: a YAML file, `class of the model: class of the data set, or ignore`, for a data set of other
            classes; predictions are translated before they are compared and painted.

    Raises:
        FileNotFoundError: no such checkpoint; the sentence lists those beside it.
        ValueError: the checkpoint knows other classes than the data set, and no map says which is which.
    """
    cfg = copy.deepcopy(cfg)
    checkpoint = existing_checkpoint(checkpoint)
    check_split(cfg, "test", "val")
    train_ids = translate_classes(cfg, checkpoint, map_path)
    if train_ids is not None:
        cfg.custom_hooks = [*cfg.get("custom_hooks", []), dict(type="ClassMapHook", train_ids=train_ids)]
    leave_out_class_weights(cfg)
    cfg.load_from = str(checkpoint)
    cfg.resume = False
    cfg.model.pretrained = None
    cfg.work_dir = str(Path(cfg.work_dir) / "test")
    if out_dir is not None:
        cfg.test_evaluator.update(output_dir=str(out_dir), keep_results=True)
    for hook in cfg.get("custom_hooks", []):
        if hook.type == "PanelHook":
            hook.show_dir = str(show_dir) if show_dir is not None else None
            break
    else:
        if show_dir is not None:
            cfg.custom_hooks = [*cfg.get("custom_hooks", []), dict(type="PanelHook", show_dir=str(show_dir))]
    if tta:
        missing = {"tta_model", "tta_pipeline"} - set(cfg)
        if missing:
            raise ValueError(f"--tta needs {' and '.join(sorted(missing))} in the config")
        cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
        cfg.model = dict(cfg.tta_model, module=cfg.model)
    # an evaluation writes no curves: an empty TensorBoard run beside the real one only confuses
    backends = [b for b in cfg.visualizer.get("vis_backends", []) if b.type != "TensorboardVisBackend"]
    cfg.visualizer.vis_backends = backends
    return cfg


def existing_checkpoint(path: str | Path) -> Path:
    """Return `path` if a file is there.

    Raises:
        FileNotFoundError: it is not; the sentence lists the checkpoints of that folder.
    """
    path = Path(path)
    if path.is_file():
        return path
    beside = sorted(p.name for p in path.parent.glob("*.pth"))
    hint = f"; {path.parent} holds {', '.join(beside)}" if beside else f"; {path.parent} holds none"
    raise FileNotFoundError(f"no checkpoint {path}{hint}")


def _nearest_config(path: Path) -> str:
    known = {p.name: p for p in sorted(Path("configs").rglob("*.py")) if "_base_" not in p.parts}
    near = [name for name in known if path.stem in name] or difflib.get_close_matches(path.name, known, 1, 0.5)
    return f"; did you mean {known[near[0]]}?" if near else ""


def _apply_options(cfg: Config, options: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("option", nargs="+", action=DictAction)  # MMEngine's grammar of values
    for option in options:
        if "=" not in option:
            raise ValueError(f"--cfg-options {option}: expected key.path=value")
        key = option.partition("=")[0]
        check_option(cfg, key)
        try:
            value = parser.parse_args([option]).option[key]
            cfg.merge_from_dict(_replacing_plain_values(cfg, key, value))
        except (TypeError, KeyError, AssertionError) as error:
            raise ValueError(f"--cfg-options {option}: {error}") from error


def _replacing_plain_values(cfg: Config, key: str, value: Any) -> dict:
    """Return what to merge; `clip_grad.max_norm=1` replaces a `clip_grad=None`, which MMEngine refuses."""
    parent, _, leaf = key.rpartition(".")
    node: Any = cfg.to_dict()
    for part in parent.split(".") if parent else ():
        node = node[int(part)] if isinstance(node, (list, tuple)) else node.get(part, {})
        if node is None:
            return {parent: {"_delete_": True, leaf: value}}
    return {key: value}
