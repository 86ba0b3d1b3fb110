"""Pictures of predictions, drawn while a run validates or tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from PIL import Image

from semseg.datasets.bands import Bands
from semseg.datasets.built_sets import check_set_stays, names_of_set, reading_of_images
from semseg.datasets.image_files import read_image
from semseg.errors import InvalidConfigError
from semseg.system.atomic import atomic_path
from semseg.system.background import Writers
from semseg.visualization import panels
from semseg.visualization.picture_files import QUALITY

TENSORBOARD_WIDTH_PX = 1024
_JPEG = [
    *(cv2.IMWRITE_JPEG_QUALITY, QUALITY),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),  # thin lines keep their colour
]


@HOOKS.register_module()
class PanelHook(Hook):
    """Draw predictions beside their target.

    At every validation the same few images are drawn, with the target on the left and the prediction on the right, to
    `<run>/panels/NAME_iter_000400.jpg` and to TensorBoard, so that a person sees them improve. In a test every image
    is drawn if `show_dir` is given: photograph, target, prediction, and errors. Every rank draws the images that it
    predicts, in threads beside the model; when the loop ends, all are written.

    Args:
        num_images: how many validation images, evenly spread over the set; 0 for none.
        show_dir: folder for the pictures of a test; they keep the names and sub-folders of their images.
    """

    is_tried = True  # PreflightHook may call `before_val_epoch`: choosing the images changes nothing

    def __init__(self, num_images: int = 8, show_dir: str | None = None) -> None:
        self.num_images = num_images
        self.show_dir = show_dir
        self._panel_paths: dict[str, Path] = {}  # image path -> path of its picture
        self._reading: dict[str, tuple] = {}  # image path -> exif, bits, bands: see `read_image`
        self._writers = Writers()

    def before_val_epoch(self, runner: Runner) -> None:
        """Choose the images."""
        dataset = runner.val_dataloader.dataset
        num_images = min(self.num_images, len(dataset))
        indices = np.linspace(0, len(dataset) - 1, num_images).round().astype(int) if num_images else []
        chosen = dict.fromkeys(dataset.get_data_info(int(i))["img_path"] for i in indices)
        names = names_of_set(dataset) if chosen else {}
        panel_dir, ending = Path(runner.log_dir) / "panels", f"_iter_{runner.iter:06d}.jpg"
        self._panel_paths = {image: panel_dir / ("_".join(names[image].parts) + ending) for image in chosen}
        self._reading = reading_of_images(dataset) if chosen else {}

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence | None = None
    ) -> None:
        """Draw the chosen images of this batch."""
        self._draw(runner.val_dataloader.dataset, outputs or (), panels.draw_truth_and_prediction)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Send the pictures of all ranks to TensorBoard."""
        self._writers.finish()
        barrier()
        if not is_main_process():
            return
        for backend in runner.cfg.get("visualizer", {}).get("vis_backends") or []:
            if backend["type"] == "LocalVisBackend":
                continue  # it would write each picture a second time
            experiment = runner.visualizer.get_backend(backend["type"])
            for path in self._panel_paths.values():
                if path.is_file():  # missing: drawn on a machine with another disk
                    panel = Image.open(path)
                    panel.thumbnail((TENSORBOARD_WIDTH_PX, TENSORBOARD_WIDTH_PX))
                    name = path.stem.rpartition("_iter_")[0]
                    experiment.add_image(f"val_panels/{name}", np.asarray(panel), runner.iter)

    def before_test_epoch(self, runner: Runner) -> None:
        """Choose the path of each picture."""
        dataset = runner.test_dataloader.dataset
        self._panel_paths, self._reading = {}, {}
        if self.show_dir:
            root = Path(self.show_dir)
            self._panel_paths = {image: root / f"{name}.jpg" for image, name in names_of_set(dataset).items()}
            check_set_stays(dataset, self._panel_paths.values(), "show_dir")
            self._reading = reading_of_images(dataset)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence | None = None
    ) -> None:
        """Draw the images of this batch."""
        self._draw(runner.test_dataloader.dataset, outputs or (), panels.draw_panel)

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Wait until everything is written."""
        self._writers.finish()

    def _draw(self, dataset: Any, outputs: Sequence, draw: Callable[..., np.ndarray]) -> None:
        for sample in outputs:
            path = self._panel_paths.get(sample.img_path)
            if path is None:
                continue
            target, predicted = (
                field.data.squeeze(0).byte().cpu().numpy() for field in (sample.gt_sem_seg, sample.pred_sem_seg)
            )
            self._writers.submit(
                write_panel,
                path,
                draw,
                sample.img_path,
                *self._reading[sample.img_path],
                target,
                predicted,
                dataset.metainfo,
            )


def write_panel(
    path: Path,
    draw: Callable[..., np.ndarray],
    image_path: str,
    exif: str,
    bits: int | None,
    bands: Bands | None,
    target: np.ndarray,
    predicted: np.ndarray,
    metainfo: dict,
) -> None:
    """Draw one picture.

    Args:
        path: of the JPEG, which is written atomically.
        draw: a function of `semseg.visualization.panels`, of photograph, target, prediction, classes and palette.
        image_path: of the photograph, which is resized to the size of the target.
        exif: `apply` or `ignore` its orientation.
        bits: how many of the 16 bits of a value are used, if it has 16.
        bands: of a picture that is not RGB.
        target: train ids, uint8, shape (height, width).
        predicted: as `target`.
        metainfo: of the data set: classes and palette.

    Raises:
        OSError: it cannot be written.
        ValueError: it is larger than a JPEG can be, 65500 pixels in height or width.
    """
    try:
        image = read_image(image_path, exif, bits, bands)
    except ValueError:  # a format that other code loads for the model, such as 8 bands
        image = np.full((*target.shape, 3), 127, np.uint8)
    if image.shape[:2] != target.shape:
        image = cv2.resize(image, target.shape[::-1], interpolation=cv2.INTER_AREA)
    panel = draw(image, target, predicted, metainfo["classes"], metainfo["palette"])
    is_encoded, encoded = cv2.imencode(".jpg", cv2.cvtColor(panel, cv2.COLOR_RGB2BGR), _JPEG)
    if not is_encoded:
        raise InvalidConfigError(
            f"{image_path}: its panel of {panel.shape[1]}x{panel.shape[0]} is too large for a JPEG",
            code="E-config-panel-size",
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
