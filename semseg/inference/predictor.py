"""A model ready to segment one image after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from semseg.checkpoints.description import classes_of, palette_of
from semseg.checkpoints.loading import load_strictly
from semseg.checkpoints.reading import read_checkpoint


class Predictor:
    """Segment images with the model of a config and the weights of a checkpoint.

    Args:
        cfg: from `for_inference`; not changed.
        checkpoint: weights that fit the model exactly.
        device: such as 'cuda:0' or 'cpu'; default: the GPU if there is one.

    Attributes:
        model: the segmentor, in evaluation mode, without gradients.
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).
        exif: what the set that it learnt from does with EXIF orientation: `apply` or `ignore`.

    Raises:
        ValueError: the weights don't fit the model, or the file holds no class names.
    """

    def __init__(self, cfg: Config, checkpoint: str | Path, device: str | None = None) -> None:
        init_default_scope(cfg.get("default_scope", "mmseg"))
        self.model = MODELS.build(cfg.copy().model)
        content = read_checkpoint(checkpoint)
        load_strictly(self.model, content, checkpoint)
        self.classes, self.palette = classes_of(content), palette_of(content)
        if self.classes is None or self.palette is None:
            raise ValueError(f"{checkpoint} does not say which classes and colours it knows (no meta.dataset_meta)")
        self._device = device or ("cuda:0" if torch.cuda.is_available() else "cpu")
        self.model.to(self._device).eval().requires_grad_(False)
        # an image has no annotation, and arrives as an array
        loads_truth = ("LoadAnnotations", "LoadTrainIds")
        steps = [step for step in cfg.test_dataloader.dataset.pipeline if step.type not in loads_truth]
        self.exif = "ignore" if steps[0].get("color_type") == "color_ignore_orientation" else "apply"
        if steps[0].type == "LoadImageFromFile":
            steps[0] = dict(type="mmseg.LoadImageFromNDArray")
        self._pipeline = Compose(steps)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Segment one image.

        Args:
            image: RGB, uint8, shape (height, width, 3).

        Returns:
            Train ids, uint8, shape (height, width).
        """
        with torch.inference_mode():
            sample = self.model.test_step(self.batch(image))[0]
        return _train_ids(sample)

    def scores(self, image: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
        """Segment one image, and return what the model decided by, too.

        Args:
            image: RGB, uint8, shape (height, width, 3).

        Returns:
            The scores, float, shape (out_channels, height, width), on the device: logits, or with one channel the
            probability of the second class. The train ids, uint8, shape (height, width).
        """
        with torch.no_grad():
            sample = self.model.test_step(self.batch(image))[0]
        return sample.seg_logits.data, _train_ids(sample)

    def batch(self, image: np.ndarray) -> dict:
        """Return one image (RGB, uint8) as `test_step` and the model's data preprocessor take it."""
        data = self._pipeline(dict(img=np.ascontiguousarray(image[:, :, ::-1])))  # the pipelines expect BGR
        return dict(inputs=[data["inputs"]], data_samples=[data["data_samples"]])


def _train_ids(sample) -> np.ndarray:
    return sample.pred_sem_seg.data.squeeze(0).to(torch.uint8).cpu().numpy()
