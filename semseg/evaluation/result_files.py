"""Write the results, predictions and truth of a test to its work folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from semseg.checkpoints import facts
from semseg.checkpoints.describe import describe_model
from semseg.checkpoints.description import description_of
from semseg.checkpoints.fingerprint import data_fingerprint, weights_fingerprint
from semseg.checkpoints.reading import checkpoint_stem, read_checkpoint
from semseg.config.dataset_files import dataset_name
from semseg.config.hooks import ensure_hook
from semseg.config.patch import Patch, changes
from semseg.config.tree import built_datasets, inner_datasets
from semseg.datasets.band_transforms import bands_of
from semseg.datasets.built_sets import check_set_stays, names_of_set
from semseg.datasets.index_png import write_index_png
from semseg.datasets.transforms import bits_of
from semseg.evaluation.metric import ConfusionMetric
from semseg.evaluation.options import ResultsOptions
from semseg.evaluation.results import write_results
from semseg.evaluation.slices import by_folder, from_table
from semseg.system.background import Writers


def configure(cfg: Config, options: ResultsOptions) -> Patch:
    """Write the results into a folder of the checkpoint and the data set; each image counts once."""
    name, split = dataset_name(cfg.test_dataloader.dataset), _split_of(cfg.test_dataloader.dataset)
    folder = f"{checkpoint_stem(options.checkpoint)}-{name}_{split}" + ("-tta" if options.tta else "")
    slices = None if options.slices_path is None else str(options.slices_path)

    def edit(edited: Config) -> None:
        edited.work_dir = str(Path(edited.work_dir) / "test" / folder)
        ensure_hook(edited, dict(type="ResultsHook", data_name=name, split=split, slices=slices, tta=options.tta))
        sampler = edited.test_dataloader.get("sampler") or {}
        if sampler.get("type") == "DefaultSampler":
            sampler["round_up"] = False  # no image comes twice when the processes do not divide them evenly
        # an evaluation writes no curves: an empty TensorBoard run beside the real one only confuses
        if edited.get("visualizer") is not None:
            backends = edited.visualizer.get("vis_backends") or []
            edited.visualizer.vis_backends = [part for part in backends if part["type"] != "TensorboardVisBackend"]

    return changes(cfg, edit)


def _split_of(dataset: dict) -> str:
    """Return the name of the split: of a dataset.yaml, or else of the folder of the images."""
    splits = []
    for part in inner_datasets(dataset):
        images = Path((part.get("data_prefix") or {}).get("img_path") or "")
        splits.append(part["split"] if part.get("type") == "FolderSegDataset" else images.name or "test")
    return "+".join(dict.fromkeys(splits))


@HOOKS.register_module()
class ResultsHook(Hook):
    """Write the results of a test to its work folder: scores, tables, predictions and truth.

    Args:
        data_name: name of the data set.
        split: name of its split.
        slices: a CSV file with a column `image` and others to slice the images by.
        tta: whether the predictions are made with test-time augmentation.
    """

    def __init__(self, data_name: str, split: str, slices: str | None = None, tta: bool = False) -> None:
        self.data_name, self.split, self.tta = data_name, split, tta
        self.slices_path = None if slices is None else Path(slices)
        self._names: dict[str, Path] = {}
        self._writers = Writers()

    def before_test_epoch(self, runner: Runner) -> None:
        """Choose the names of the outputs, and check the table of slices before the test, which may take hours."""
        dataset = runner.test_dataloader.dataset
        self._names = names_of_set(dataset)
        for metric in runner.test_evaluator.metrics:
            if isinstance(metric, ConfusionMetric):
                metric.output_names = self._names
                if metric.output_dir is not None:
                    self._check_set_stays(dataset, Path(metric.output_dir), "out_dir")
        for kind in ("predicted", "target"):
            self._check_set_stays(dataset, Path(runner.work_dir) / kind, "work_dir")
        if self.slices_path is not None:
            from_table(self.slices_path, [self._image_name(path) for path in self._names])

    def _check_set_stays(self, dataset: Any, folder: Path, option: str) -> None:
        check_set_stays(dataset, (folder / f"{name}.png" for name in self._names.values()), option)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence | None = None
    ) -> None:
        """Write the predicted and the true train ids as PNG files with the palette of the classes."""
        palette = runner.test_dataloader.dataset.metainfo["palette"]
        for sample in outputs or ():
            for kind, field in (("predicted", sample.pred_sem_seg), ("target", sample.get("gt_sem_seg"))):
                if field is None:
                    continue
                train_ids = field.data.squeeze(0).cpu().numpy().astype(np.uint8)
                path = Path(runner.work_dir) / kind / f"{self._names[sample.img_path]}.png"
                self._writers.submit(write_index_png, path, train_ids, palette, 1, num_bytes=train_ids.nbytes)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the scores and tables, after all pictures are written."""
        self._writers.finish()
        metric = next((metric for metric in runner.test_evaluator.metrics if isinstance(metric, ConfusionMetric)), None)
        if not is_main_process() or metric is None or metric.evaluation is None:
            return
        evaluation, folder = metric.evaluation, Path(runner.work_dir)
        paths = evaluation.confusions.images
        images = tuple(self._image_name(path) for path in paths)
        evaluation = evaluation._replace(confusions=evaluation.confusions._replace(images=images))
        slices = by_folder(images) if self.slices_path is None else from_table(self.slices_path, images)
        files = [{"path": path, "mask": f"{self._names[path].as_posix()}.png"} for path in paths]
        write_results(folder, evaluation, self._facts(runner, len(images)), files, slices)
        print_log(f"results: {runner.cfg.work_dir} (results.json, tables, predicted/)", "current")

    def _image_name(self, path: str) -> str:
        """Return the name of an image in tables: its path relative to the folder of the images, with suffix."""
        name, suffix = self._names[path].as_posix(), Path(path).suffix
        return name if name.endswith(suffix) else name + suffix

    def _facts(self, runner: Runner, num_images: int) -> dict:
        checkpoint_path = Path(runner.cfg.load_from or runner.cfg.model.path)
        model: Any = runner.model  # an exported file describes itself
        described = _describe_checkpoint(runner.cfg) if runner.cfg.load_from else model.describe()
        has_curves = any(checkpoint_path.parent.glob("*/vis_data/scalars.json"))
        dataset = runner.test_dataloader.dataset
        run = {
            "model": described["model"],
            "config": Path(runner.cfg.filename or str(described.get("config_file"))).stem,
            "checkpoint": str(checkpoint_path),
            "weights_sha256": described["weights_sha256"],
            "tta": self.tta,
            "iteration": described["iteration"],
            "seed": described.get("seed"),
            "versions": facts.versions(),
            "command": facts.command_line(),
            "work_dir": str(checkpoint_path.parent) if has_curves else None,
        }
        data = {
            "name": self.data_name,
            "root": ", ".join(dict.fromkeys(map(_root_of, built_datasets(dataset)))),
            "split": self.split,
            "num_images": num_images,
            "exif": getattr(next(built_datasets(dataset)), "exif", "apply"),  # the orientation of masks
            "bits": bits_of(next(built_datasets(dataset))),  # used bits of photographs with 16 bits
            "fingerprint": data_fingerprint({self.split: dataset}),
        }
        if bands := bands_of(next(built_datasets(dataset))):
            data["bands"] = bands.step()
        return {"created": facts.now(), "run": run, "data": data}


def _describe_checkpoint(cfg: Config) -> dict:
    checkpoint = read_checkpoint(cfg.load_from, mmap=True)
    described = description_of(checkpoint, cfg.load_from)
    return {
        **described,
        "model": describe_model(cfg.model.get("module", cfg.model)),
        "weights_sha256": weights_fingerprint(checkpoint["state_dict"]),
        "iteration": described.get("iteration", checkpoint["meta"].get("iter")),
    }


def _root_of(dataset: Any) -> str:
    return str(getattr(dataset, "data_root", "") or getattr(dataset, "data_prefix", {}).get("img_path", ""))
