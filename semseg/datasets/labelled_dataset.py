"""The dataset class for a labelled set that a dataset.yaml describes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from semseg.datasets.bands import LOADER
from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.pairs import find_pairs
from semseg.datasets.photographs import PHOTOGRAPH_LOADERS
from semseg.errors import InvalidConfigError, InvalidDataError


@DATASETS.register_module()
class FolderSegDataset(BaseSegDataset):
    """One split of the set that a dataset.yaml describes; its masks need LoadTrainIds in the pipeline.

    Args:
        dataset_file: the dataset.yaml.
        split: train, val or test.
        data_root: folder of the set, instead of the one in the file.
        pipeline: transforms, as in every MMSegmentation dataset.
        indices: use only the first `indices` samples, or the samples at these indices.
        test_mode: as in MMSegmentation.
        lazy_init: list the files later, in `full_init()`.

    Attributes:
        exif: `apply` or `ignore`, how the dataset.yaml treats the EXIF orientation of photographs.

    Raises:
        FileNotFoundError: the file, or a folder or file that it names, is missing.
        ValueError: an image has no mask or no region of interest, the dataset.yaml is wrong, or the pipeline does not
            read regions of interest.
    """

    def __init__(
        self,
        dataset_file: str,
        split: str,
        data_root: str | None = None,
        pipeline: Sequence[dict | Callable] = (),
        indices: int | Sequence[int] | None = None,
        test_mode: bool = False,
        lazy_init: bool = False,
    ) -> None:
        rules = read_dataset_file(dataset_file)
        if data_root is not None:
            rules = dataclasses.replace(rules, root=Path(data_root))
        _check_loader(rules, pipeline)
        self.rules, self.split, self.exif = rules, split, rules.exif
        images = rules.splits[split].images if split in rules.splits else None
        super().__init__(
            metainfo={"classes": rules.classes, "palette": [list(color) for color in rules.palette]},
            data_prefix={"img_path": str(rules.root / (images or ""))},  # result names are relative to it
            pipeline=list(pipeline),
            indices=indices,
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    def load_data_list(self) -> list[dict]:
        """Return one entry for each pair of the split."""
        pairing = find_pairs(self.rules, self.split)
        unlabelled = pairing.images_without_mask
        if unlabelled:
            raise InvalidDataError(
                f"{len(unlabelled)} of {len(unlabelled) + len(pairing.pairs)} images have no mask, first"
                f" {unlabelled[0]}; label them, move them away, list the pairs to use: {self.split}: {{pairs: FILE}} in"
                f" {self.rules.path}, or set unlabelled: CLASS there, the class of images without mask",
                code="E-data-pairs",
            )
        if pairing.images_without_roi:
            raise InvalidDataError(
                f"{len(pairing.images_without_roi)} images have no region of interest, first"
                f" {pairing.images_without_roi[0]}; draw them, or leave out roi in {self.rules.path}",
                code="E-data-pairs",
            )
        if any(pair.roi_path for pair in pairing.pairs):
            self._check_loaders()
        if pairing.masks_without_image:
            count, first = len(pairing.masks_without_image), pairing.masks_without_image[0]
            print_log(f"{count} masks have no image, first {first}", "current", logging.WARNING)
        return [
            {
                "img_path": str(pair.image_path),
                "seg_map_path": None if pair.mask_path is None else str(pair.mask_path),
                "roi_path": None if pair.roi_path is None else str(pair.roi_path),
                "dataset_file": str(self.rules.path),
                "label_map": None,
                "reduce_zero_label": False,
                "seg_fields": [],
            }
            for pair in pairing.pairs
        ]

    def _check_loaders(self) -> None:
        """Raise an error if the pipeline loads masks without the regions of interest."""
        steps = [type(step).__name__ for step in getattr(self.pipeline, "transforms", ())]
        if "LoadAnnotations" in steps:
            raise InvalidConfigError(
                f"{self.rules.path} has regions of interest, which LoadAnnotations does not read; replace it by"
                " LoadTrainIds in the pipeline",
                code="E-config-unsupported",
            )


def _check_loader(rules: DatasetFile, pipeline: Sequence[dict | Callable]) -> None:
    """Refuse a pipeline that would read a set with `bands` as photographs, or the other way round."""
    kinds = [step.get("type") if isinstance(step, dict) else type(step) for step in pipeline]
    names = [str(getattr(kind, "__name__", kind)).rpartition(".")[2] for kind in kinds]
    wrong = (*PHOTOGRAPH_LOADERS,) if rules.bands is not None else (LOADER,)
    loader = next((name for name in names if name in wrong), None)
    if loader is not None:
        has = "bands" if rules.bands is not None else "photographs"
        raise InvalidDataError(
            f"{rules.path} describes {has}, and the pipeline of the config loads them with {loader}: give the file as"
            " `data`, which changes the loader and the first convolution",
            code="E-data-bands",
        )
