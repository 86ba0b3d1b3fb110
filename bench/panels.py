"""Draw the picture of one prediction of 2048x1024: read the photograph, draw, write a JPEG, as in a test."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from bench import Contender
from semseg import compat
from semseg.datasets.toycity.write import plan_cityscapes, write_picture
from semseg.labels import CITYSCAPES
from semseg.visualization import panels

METAINFO = {"classes": CITYSCAPES.classes, "palette": CITYSCAPES.palette}
_SHIFT_PX, _BLUR_PX = 9, 25


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Draw photograph, truth, prediction and error map; the visualizer of MMSegmentation draws truth and prediction."""
    compat.repair()
    from semseg.training.panels import write_panel

    (picture,) = plan_cityscapes(folder, {"val": 1}, (2048, 1024), seed=0)
    for path in (picture.image_path, picture.label_ids_path):
        path.parent.mkdir(parents=True)
    write_picture(picture)
    target = CITYSCAPES.to_train_ids(cv2.imread(str(picture.label_ids_path), cv2.IMREAD_UNCHANGED))
    predicted = _distort(target)
    image_path = str(picture.image_path)

    def draw_ours() -> None:
        write_panel(
            folder / "ours.jpg", panels.draw_panel, image_path, "apply", None, None, target, predicted, METAINFO
        )

    work = (1, "pictures")
    sides = {"ours": Contender(draw_ours, work=work)}
    if stock:
        draw = _make_stock_drawing(image_path, target, predicted, folder / "stock.jpg")
        sides["stock"] = Contender(draw, work=work)
    return {"truth and prediction": sides}


def _make_stock_drawing(image_path: str, target: np.ndarray, predicted: np.ndarray, path: Path):
    """Return a function that draws as SegVisualizationHook does in a test, but to a given file."""
    import mmcv
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample
    from mmseg.visualization import SegLocalVisualizer

    fields = {"gt_sem_seg": target, "pred_sem_seg": predicted}
    sample = SegDataSample(
        **{name: PixelData(data=torch.from_numpy(train_ids).long()[None]) for name, train_ids in fields.items()}
    )
    visualizer = SegLocalVisualizer()
    visualizer.dataset_meta = METAINFO  # its constructor swaps classes and palette

    def draw() -> None:
        image = mmcv.imread(image_path, channel_order="rgb")
        visualizer.add_datasample("picture", image, sample, out_file=str(path))

    return draw


def _distort(target: np.ndarray) -> np.ndarray:
    """Make a prediction from the truth: smoothed, shifted by a few pixels, and without ignored pixels."""
    predicted = np.roll(target, _SHIFT_PX, axis=1)
    predicted[predicted >= len(CITYSCAPES.classes)] = 0
    return cv2.medianBlur(predicted, _BLUR_PX)
