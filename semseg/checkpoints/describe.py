"""Describe a checkpoint: in a few lines for people, or completely as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semseg.checkpoints.description import classes_of, description_of
from semseg.checkpoints.plain import plain
from semseg.checkpoints.reading import read_checkpoint

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_UNKNOWN = "not said"


def summarize(path: str | Path) -> list[str]:
    """Describe a checkpoint in a few lines; no code in it is run.

    Raises:
        FileNotFoundError, ValueError: those of `read_checkpoint`.
    """
    rows = describe_content(read_checkpoint(path, mmap=True), Path(path))
    return [str(path), *(f"  {name:10}{text}" for name, text in rows.items())]


def describe_content(checkpoint: Mapping[str, Any], path: Path) -> dict[str, str]:
    """Describe the content of a checkpoint: a line for each of weights, classes, model, input, data and so on.

    Args:
        checkpoint: from `read_checkpoint`.
        path: of the file.
    """
    description = description_of(checkpoint, path)
    config = description.get("config") or {}
    meta = checkpoint["meta"]
    rows = {
        "weights": _describe_weights(checkpoint, path, description),
        "classes": _describe_classes(classes_of(checkpoint) or description.get("classes")),
        "model": describe_model(config.get("model") or {}),
        "input": _describe_input(config),
        "data": _describe_data(description),
        "schedule": _describe_schedule(description, config, meta),
        "metrics": _describe_metrics(description),
        "trained": _describe_start(description, meta),
        "plugins": _describe_plugins(config.get("plugins")),
        "command": description.get("command", _UNKNOWN),
        "git": _describe_git(description),
        "versions": _describe_versions(description.get("versions"), meta),
    }
    if rows["plugins"] == _UNKNOWN:
        del rows["plugins"]
    if not description:
        rows = {name: text for name, text in rows.items() if text != _UNKNOWN}
        missing = "no description by semseg: no metrics, data, command; test and infer need the config"
        if isinstance(meta.get("cfg"), str):
            missing += f" (there is one as text, {len(meta['cfg'].splitlines())} lines, under meta.cfg: not executed)"
        rows["missing"] = missing
    return {name: _replace_unprintable(text) for name, text in rows.items()}


def as_json(path: str | Path) -> str:
    """Describe a checkpoint completely; tuples become lists.

    Raises:
        FileNotFoundError, ValueError: those of `read_checkpoint`.
    """
    checkpoint = read_checkpoint(path, mmap=True)
    meta = dict(checkpoint["meta"])
    content = {
        "file": str(path),
        "bytes": Path(path).stat().st_size,
        "parameters": count_parameters(checkpoint),
        "holds": sorted(set(checkpoint) - {"num_left_out"}),
        "description": description_of(checkpoint, path) or None,
        "meta": {key: value for key, value in meta.items() if key != "semseg"},
    }
    return json.dumps(_with_text_keys(plain(content)), indent=2)


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(child) for key, child in value.items()}
    if isinstance(value, float) and not math.isfinite(value):  # JSON has no such numbers
        return str(value)
    return [_with_text_keys(child) for child in value] if isinstance(value, (list, tuple)) else value


def count_parameters(checkpoint: Mapping[str, Any]) -> int:
    """Count the parameters in a checkpoint, without the statistics of normalization layers."""
    weights = checkpoint["state_dict"].items()
    return sum(value.numel() for name, value in weights if not name.endswith(_STATISTICS))


def _describe_weights(checkpoint: Mapping[str, Any], path: Path, description: Mapping[str, Any]) -> str:
    count = count_parameters(checkpoint)
    is_averaged = "ema_state_dict" in checkpoint or description.get("weights") == "moving average"
    kind = ", moving average (EMA)" if is_averaged else ""
    rest = "with the state of the optimizer" if "optimizer" in checkpoint else "without the state of the optimizer"
    if "num_left_out" in checkpoint:
        num_left_out = checkpoint["num_left_out"]
        rest += f"; {num_left_out} averages of MMCV's EMAHook are left out: its validations did not use them"
    return f"{count / 1e6:.2f} million parameters{kind}, {path.stat().st_size / 1e6:.1f} MB, {rest}"


def _describe_classes(classes: Sequence[str] | None) -> str:
    return f"{len(classes)}: {', '.join(map(str, classes))}" if classes else _UNKNOWN


def describe_model(model: Mapping[str, Any]) -> str:
    """Return the types of the parts of a model, and how it is tested, from `cfg.model`."""
    if not model:
        return _UNKNOWN
    parts = [str(model.get("type"))]
    for name in ("backbone", "neck", "decode_head", "auxiliary_head"):
        part = model.get(name)
        for module in part if isinstance(part, (list, tuple)) else [part]:
            if isinstance(module, dict):
                depth = f"-{module['depth']}" if "depth" in module else ""
                parts.append(f"{module.get('type')}{depth}" + (" (auxiliary)" if name == "auxiliary_head" else ""))
    mode = (model.get("test_cfg") or {}).get("mode", "whole")
    return f"{', '.join(parts)}; tested on {'windows' if mode == 'slide' else 'whole images'}"


def _describe_input(config: Mapping[str, Any]) -> str:
    steps = {
        split: _find_pipeline((config.get(f"{split}_dataloader") or {}).get("dataset")) for split in ("train", "test")
    }
    crops = [step["crop_size"] for step in steps["train"] if step.get("type") == "RandomCrop" and "crop_size" in step]
    scales = [step["scale"] for step in steps["test"] if step.get("type") == "Resize" and step.get("scale")]
    texts = [f"crop {_format_size(crops[0])} (height x width)"] if crops else []
    texts += [f"tested at {_format_size(scales[0])} (width x height)"] if scales else []
    return ", ".join(texts) or _UNKNOWN


def _find_pipeline(dataset: Any) -> list[dict]:
    """Return the steps of the pipeline of a dataset, which may be wrapped."""
    if not isinstance(dataset, dict):
        return []
    inner = (dataset.get("datasets") or [dataset.get("dataset")])[0]
    return [step for step in dataset.get("pipeline") or () if isinstance(step, dict)] or _find_pipeline(inner)


def _format_size(size: Any) -> str:
    return " x ".join(map(str, size)) if isinstance(size, (list, tuple)) else str(size)


def _describe_data(description: Mapping[str, Any]) -> str:
    data = description.get("data")
    if not data:
        return _UNKNOWN
    counts = ", ".join(f"{count} images to {split}" for split, count in data["images"].items())
    label_map = f"; label map of {len(description['label_map'])} values" if description.get("label_map") else ""
    rois = f"; {data['rois']} regions of interest" if data.get("rois") else ""
    return f"{counts.replace('val', 'validate')}; fingerprint {data['sha256'][:16]}{label_map}{rois}"


def _describe_schedule(description: Mapping[str, Any], config: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    iteration = description.get("iteration", meta.get("iter"))
    if not config:
        return _UNKNOWN if iteration is None else f"iteration {iteration}"
    optimizer = (config.get("optim_wrapper") or {}).get("optimizer") or {}
    schedulers = config.get("param_scheduler") or []
    names = [step.get("type") for step in (schedulers if isinstance(schedulers, (list, tuple)) else [schedulers])]
    batch = (config.get("train_dataloader") or {}).get("batch_size")
    loop = config.get("train_cfg") or {}
    position = f"iteration {iteration} of {loop.get('max_iters')}"
    if "max_epochs" in loop:
        position = f"epoch {meta.get('epoch')} of {loop['max_epochs']} (iteration {iteration})"
    return (
        f"{position}; {description.get('num_processes')} x {batch} images;"
        f" {optimizer.get('type')}, lr {optimizer.get('lr')}, {' then '.join(map(str, names))}"
    )


def _describe_metrics(description: Mapping[str, Any]) -> str:
    metrics = description.get("metrics")
    if not metrics:
        return "none: saved before the first validation" if description else _UNKNOWN
    scores = metrics["scores"]
    means = ", ".join(f"{name} {value}" for name, value in scores.items() if "/" not in name and "time" not in name)
    per_class = {name[4:]: value for name, value in scores.items() if name.startswith("IoU/") and value is not None}
    worst = sorted(per_class, key=per_class.__getitem__)[:3]
    lowest = "; lowest IoU: " + ", ".join(f"{name} {per_class[name]}" for name in worst) if worst else ""
    return f"{means} at iteration {metrics['iteration']}{lowest}"


def _describe_start(description: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    time, seed = description.get("time", meta.get("time")), description.get("seed", meta.get("seed"))
    if time is None:
        return _UNKNOWN
    source = f" from {description['config_file']}" if description.get("config_file") else ""
    return f"{time}, seed {seed}{source}"


def _describe_plugins(records: Any) -> str:
    """Return the options that name the plugins of the run, with the start of the SHA-256 of each file."""
    entries = records if isinstance(records, (list, tuple)) else []
    texts = [
        f"--plugin {entry.get('name')} (SHA-256 {str(entry.get('sha256'))[:8]})"
        for entry in entries
        if isinstance(entry, Mapping)
    ]
    return ", ".join(texts) or _UNKNOWN


def _describe_git(description: Mapping[str, Any]) -> str:
    state = description.get("git")
    if not state:
        return "started outside of a repository" if description else _UNKNOWN
    return f"{state['revision'][:12]}{', with changes' if state['dirty'] else ''}"


def _describe_versions(versions: Mapping[str, Any] | None, meta: Mapping[str, Any]) -> str:
    if versions is None:
        packages = ("mmengine", "mmseg", "mmcv")
        texts = [f"{name} {meta[f'{name}_version']}" for name in packages if f"{name}_version" in meta]
        return ", ".join(texts) or _UNKNOWN
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version is not None)


def _replace_unprintable(text: str) -> str:
    """Replace characters that would control a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
