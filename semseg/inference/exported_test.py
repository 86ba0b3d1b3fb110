"""Test an exported file as its checkpoint is tested: with the same images, scores, tables and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS

from semseg.checkpoints.fingerprint import file_fingerprint
from semseg.config.tree import inner_datasets
from semseg.errors import InvalidInputError
from semseg.evaluation import for_testing
from semseg.inference.backends import open_exported
from semseg.inference.pipeline import without_resize


def for_testing_exported(cfg: Config, path: str | Path, **asked: Any) -> Config:
    """Return the config of an evaluation of an exported file, as `for_testing` does for a checkpoint.

    Args:
        cfg: from `load_config`, of the model that was exported; not changed. Only its data set, metric and hooks are
            used: the file scales, normalizes and predicts the images itself.
        path: an ONNX or OpenVINO file that `tools/model.py export` wrote.
        asked: as for `for_testing`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: those of `for_testing`; or the file cannot be opened, or an option has no effect on it.
    """
    if asked.get("tta"):
        raise InvalidInputError(
            f"`tta`: {path} gives classes, and no scores that could be averaged; test the checkpoint",
            code="E-input-no-effect",
        )
    if "calibration" in str(asked.get("extras")).split(",") or asked.get("extras") == "all":
        raise InvalidInputError(
            f"`extras` calibration needs the probability of each class, which {path} does not give; leave it out, or"
            " test the checkpoint",
            code="E-input-no-probabilities",
        )
    if cfg.launcher != "none":
        raise InvalidInputError(
            f"{path} is tested by one process, which uses all CPU cores: run tools/test.py", code="E-input-no-effect"
        )
    predictor = open_exported(path)
    metainfo = {"classes": predictor.classes, "palette": predictor.palette}
    cfg = for_testing(cfg, path, {"meta": {"dataset_meta": metainfo}, "state_dict": {}}, **asked)
    cfg.load_from = None
    cfg.pop("data_preprocessor", None)  # MMEngine would give it to the model
    cfg.model = dict(type="ExportedSegmentor", path=str(path))
    for dataset in inner_datasets(cfg.test_dataloader.dataset):
        dataset.pipeline = without_resize(dataset.pipeline)
    return cfg


@MODELS.register_module()
class ExportedSegmentor(BaseModel):
    """A model for tests, whose predictions an exported file computes.

    Args:
        path: of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = Path(path)
        self._predictor = open_exported(path)

    def forward(self, *_: Any, **__: Any) -> Any:
        """Raise an error: the file computes no loss and no features."""
        raise NotImplementedError("an exported file only predicts")

    def test_step(self, data: Any) -> list:
        """Predict a batch; returns its samples with `pred_sem_seg`: train ids, int64, shape (1, height, width).

        Args:
            data: `inputs`, BGR, uint8, shape (3, height, width) each, and `data_samples`.
        """
        for image, sample in zip(data["inputs"], data["data_samples"], strict=True):
            train_ids = self._predictor(image.numpy().transpose(1, 2, 0)[..., ::-1])
            sample.pred_sem_seg = PixelData(data=torch.from_numpy(train_ids.astype("int64"))[None])
        return list(data["data_samples"])

    def describe(self) -> dict[str, Any]:
        """Return what the results of a test say of the model: plain data."""
        facts = self._predictor.facts
        return {
            "model": f"{self._predictor.notes[0]}, exported from {facts.get('checkpoint')}",
            "config_file": facts.get("config"),
            "iteration": facts.get("iteration"),
            "weights_sha256": file_fingerprint(self.path),
        }
