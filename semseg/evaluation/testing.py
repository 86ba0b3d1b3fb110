"""The config of an evaluation."""

from __future__ import annotations

import copy
from pathlib import Path

from mmengine.config import Config

from semseg.checkpoints.reading import checkpoint_stem, read_checkpoint
from semseg.config.class_map import check_class_count, translate_classes
from semseg.config.class_weights import leave_out_class_weights
from semseg.config.dataset_files import check_split, join_set_names, set_name, views_pipeline
from semseg.config.from_checkpoint import existing_checkpoint, leave_out_pretrained
from semseg.config.hooks import ensure_hook
from semseg.config.packages import check_packages
from semseg.config.tree import inner_datasets
from semseg.errors import InvalidInputError


def for_testing(
    cfg: Config,
    checkpoint: str | Path,
    *,
    out_dir: str | Path | None = None,
    show_dir: str | Path | None = None,
    tta: bool = False,
    map_path: str | Path | None = None,
    extras: str | None = None,
    absent: str | None = None,
    slices_path: str | Path | None = None,
) -> Config:
    """Return the config of an evaluation.

    Args:
        cfg: from `load_config`; not changed. Its work folder becomes `<work_dir>/test/<checkpoint>-<data>`.
        checkpoint: weights to load.
        out_dir: where to write the predicted train ids as PNG.
        show_dir: where to paint every image: photograph, truth, prediction, error map.
        tta: average over scales and flips (`tta_pipeline`, `tta_model`).
        map_path: a YAML file, `class of the model: class of the data set, or ignore`, for a data set of other
            classes; predictions are translated before they are compared and painted.
        extras: breakdowns to count in the same pass, with commas between: boundary, trimap, sizes, rows,
            calibration; or `all`.
        absent: what becomes of classes that the truth does not have: `zero` or `leave-out`.
        slices_path: a CSV file with a column `image` and others to slice the scores by.

    Raises:
        FileNotFoundError: no such checkpoint; the sentence lists those beside it.
        ValueError: the checkpoint knows other classes than the data set, and no map says which is which; or it
            holds a model of another number of classes.
    """
    cfg = copy.deepcopy(cfg)
    missing = sorted({"tta_model", "tta_pipeline"} - set(cfg)) if tta else []
    if missing:
        raise InvalidInputError(f"--tta needs {' and '.join(missing)} in the config")
    checkpoint = existing_checkpoint(checkpoint)
    check_packages(cfg)
    check_split(cfg, "test", "val")
    if "test_evaluator" not in cfg:
        raise InvalidInputError(f"{checkpoint} does not say how it is judged: name the config that it was trained with")
    content = read_checkpoint(checkpoint, mmap=True)
    train_ids = translate_classes(cfg, checkpoint, content, map_path)
    check_class_count(cfg, checkpoint, content)
    ensure_hook(cfg, dict(type="StrictWeightsHook"))
    if train_ids is not None:
        cfg.custom_hooks = [*cfg.get("custom_hooks", []), dict(type="ClassMapHook", train_ids=train_ids)]
    leave_out_class_weights(cfg)
    cfg.load_from = str(checkpoint)
    cfg.resume = False
    leave_out_pretrained(cfg.model)
    name, split = _data_of(cfg.test_dataloader.dataset)
    folder = f"{checkpoint_stem(checkpoint)}-{name}_{split}" + ("-tta" if tta else "")
    cfg.work_dir = str(Path(cfg.work_dir) / "test" / folder)
    ensure_hook(cfg, dict(type="ResultsHook", data_name=name, split=split, slices=slices_path and str(slices_path)))
    _count_more(cfg, extras, absent, tta)
    if out_dir is not None:
        for evaluator in _counting_evaluators(cfg, "--out"):
            evaluator.update(output_dir=str(out_dir))
    sampler = cfg.test_dataloader.get("sampler") or {}
    if sampler.get("type") == "DefaultSampler":
        sampler.round_up = False  # no image comes twice when the processes do not divide them evenly
    for hook in cfg.get("custom_hooks", []):
        if hook.type == "PanelHook":
            hook.show_dir = str(show_dir) if show_dir is not None else None
            break
    else:
        if show_dir is not None:
            cfg.custom_hooks = [*cfg.get("custom_hooks", []), dict(type="PanelHook", show_dir=str(show_dir))]
    if tta:
        for dataset in inner_datasets(cfg.test_dataloader.dataset):
            dataset.pipeline = views_pipeline(cfg, dataset)
        cfg.model = dict(cfg.tta_model, module=cfg.model)
    # an evaluation writes no curves: an empty TensorBoard run beside the real one only confuses
    if cfg.get("visualizer") is not None:
        backends = [b for b in cfg.visualizer.get("vis_backends") or [] if b.type != "TensorboardVisBackend"]
        cfg.visualizer.vis_backends = backends
    return cfg


def _data_of(dataset: dict) -> tuple[str, str]:
    """Return what to call the data, and the split."""
    if dataset.get("type") == "FolderSegDataset":
        return set_name(dataset["dataset_file"]), dataset["split"]
    parts = inner_datasets(dataset)
    if len(parts) > 1:
        sources = [str(part.get("dataset_file") or part.get("data_root")) for part in parts]
        names, splits = zip(*map(_data_of, parts), strict=True)
        return join_set_names(names, sources), "+".join(dict.fromkeys(splits))
    if parts[0] is not dataset:
        return _data_of(parts[0])
    images = Path((dataset.get("data_prefix") or {}).get("img_path") or "")
    return Path(dataset.get("data_root") or "data").resolve().name, images.name or "test"


def _counting_evaluators(cfg: Config, flags: str) -> list[dict]:
    given = cfg.test_evaluator
    evaluators = given if isinstance(given, (list, tuple)) else [given]
    counting = [evaluator for evaluator in evaluators if evaluator["type"] == "ConfusionMetric"]
    if not counting:
        kinds = ", ".join(evaluator["type"] for evaluator in evaluators)
        raise InvalidInputError(f"{flags} need a ConfusionMetric; the config's test_evaluator is {kinds}")
    return counting


def _count_more(cfg: Config, extras: str | None, absent: str | None, tta: bool) -> None:
    from semseg.evaluation.extras import EXTRAS

    if extras is None and absent is None:
        return
    names = [] if extras is None else list(EXTRAS) if extras == "all" else extras.split(",")
    unknown = [name for name in names if name not in EXTRAS]
    if unknown:
        raise InvalidInputError(f"--extras {unknown[0]!r} is not one of {', '.join(EXTRAS)}, all")
    if tta and any(EXTRAS[name].needs_scores for name in names):
        raise InvalidInputError(
            "--extras calibration cannot go with --tta: MMSegmentation keeps the scores of one view only"
        )
    for evaluator in _counting_evaluators(cfg, "--extras and --absent"):
        evaluator.update(extras=names, **({} if absent is None else {"absent": absent}))
