"""What happens around the loops: pictures, and a progress bar."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmseg.registry import HOOKS
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from semseg import panels
from semseg.atomic import atomic_path
from semseg.background import Writers
from semseg.config_tree import built_datasets
from semseg.plugins.transforms import bits_of
from semseg.prepare.image_files import read_image
from semseg.result_names import name_results

TENSORBOARD_WIDTH_PX = 1024
_JPEG = [
    *(cv2.IMWRITE_JPEG_QUALITY, 90),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),  # thin lines keep their colour
]


@HOOKS.register_module()
class PanelHook(Hook):
    """Paint predictions beside their truth.

    At every validation it paints the same few images, truth left and prediction right, to
    `<run>/panels/NAME_iter_000400.jpg` and to TensorBoard, so that a person sees them improve. In a test it
    paints every image, if `show_dir` is given: photograph, truth, prediction, and what is wrong. Every rank
    paints the images that it predicts, in threads beside the model; when the loop ends all are written.

    Args:
        num_images: how many validation images, evenly spread over the set; 0 for none.
        show_dir: folder for the pictures of a test; they keep the names and sub-folders of their images.
    """

    is_tried = True  # before the first iteration: choosing the images changes nothing

    def __init__(self, num_images: int = 8, show_dir: str | None = None) -> None:
        self.num_images = num_images
        self.show_dir = show_dir
        self._panel_paths: dict[str, Path] = {}  # image path -> where its picture goes
        self._reading: dict[str, tuple[str, int | None]] = {}  # image path -> exif, bits
        self._writers = Writers()

    def before_val_epoch(self, runner) -> None:
        """Choose the images."""
        dataset = runner.val_dataloader.dataset
        num_images = min(self.num_images, len(dataset))
        indices = np.linspace(0, len(dataset) - 1, num_images).round().astype(int) if num_images else []
        chosen = dict.fromkeys(dataset.get_data_info(int(i))["img_path"] for i in indices)
        names = names_of_set(dataset) if chosen else {}
        panel_dir, ending = Path(runner.log_dir) / "panels", f"_iter_{runner.iter:06d}.jpg"
        self._panel_paths = {image: panel_dir / ("_".join(names[image].parts) + ending) for image in chosen}
        self._reading = reading_of_images(dataset) if chosen else {}

    def after_val_iter(self, runner, batch_idx: int, data_batch=None, outputs: Sequence = ()) -> None:
        """Paint the chosen images of this batch."""
        self._paint(runner.val_dataloader.dataset, outputs, panels.truth_and_prediction)

    def after_val_epoch(self, runner, metrics: dict | None = None) -> None:
        """Send what all ranks painted to TensorBoard."""
        self._writers.finish()
        barrier()
        if not is_main_process():
            return
        for backend in runner.cfg.get("visualizer", {}).get("vis_backends") or []:
            if backend["type"] == "LocalVisBackend":
                continue  # would write each picture a second time
            experiment = runner.visualizer.get_backend(backend["type"])
            for path in self._panel_paths.values():
                if path.is_file():  # not there: painted on a machine with a disk of its own
                    panel = Image.open(path)
                    panel.thumbnail((TENSORBOARD_WIDTH_PX, TENSORBOARD_WIDTH_PX))
                    name = path.stem.rpartition("_iter_")[0]
                    experiment.add_image(f"val_panels/{name}", np.asarray(panel), runner.iter)

    def before_test_epoch(self, runner) -> None:
        """Decide where each picture goes."""
        dataset = runner.test_dataloader.dataset
        names = names_of_set(dataset) if self.show_dir else {}
        self._panel_paths = {image: Path(self.show_dir) / f"{name}.jpg" for image, name in names.items()}
        self._reading = reading_of_images(dataset) if self.show_dir else {}

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs: Sequence = ()) -> None:
        """Paint the images of this batch."""
        self._paint(runner.test_dataloader.dataset, outputs, panels.panel)

    def after_test_epoch(self, runner, metrics: dict | None = None) -> None:
        """Wait until everything is written."""
        self._writers.finish()

    def _paint(self, dataset, outputs: Sequence, draw: Callable[..., np.ndarray]) -> None:
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
    target: np.ndarray,
    predicted: np.ndarray,
    metainfo: dict,
) -> None:
    """Paint one picture.

    Args:
        path: of the JPEG, which appears whole.
        draw: a function of `semseg.panels`, of photograph, truth, prediction, classes and palette.
        image_path: of the photograph, which is brought to the size of the truth.
        exif: `apply` or `ignore` its orientation.
        bits: how many are in use of the 16 of a value, if it stores 16.
        target: train ids, uint8, shape (height, width).
        predicted: likewise.
        metainfo: of the data set: classes and palette.

    Raises:
        OSError: it cannot be written.
        ValueError: it is larger than a JPEG can be, 65500 pixels in height or width.
    """
    try:
        image = read_image(image_path, exif, bits)
    except ValueError:  # a kind that other code loads for the model, such as 8 bands
        image = np.full((*target.shape, 3), 127, np.uint8)
    if image.shape[:2] != target.shape:
        image = cv2.resize(image, target.shape[::-1], interpolation=cv2.INTER_AREA)
    panel = draw(image, target, predicted, metainfo["classes"], metainfo["palette"])
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(panel, cv2.COLOR_RGB2BGR), _JPEG)
    if not done:
        raise ValueError(f"{image_path}: its panel of {panel.shape[1]}x{panel.shape[0]} is too large for a JPEG")
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(encoded)
    except OSError as error:
        raise type(error)(f"cannot write {path} ({error.strerror or error}): make room there") from error


def names_of_set(dataset) -> dict[str, Path]:
    """Return what the results of every image of a set are called, by image path; see `name_results`.

    Args:
        dataset: as MMEngine builds it, wrapped or not.
    """
    images, roots = [], []
    for part in built_datasets(dataset):
        images += [part.get_data_info(i)["img_path"] for i in range(len(part))]
        root = getattr(part, "data_prefix", {}).get("img_path")
        roots += [root] if root else []
    return name_results(images, roots)


def reading_of_images(dataset) -> dict[str, tuple[str, int | None]]:
    """Return `exif` and `bits` by image path: how the photographs of a set are read, wrapped or not."""
    return {
        part.get_data_info(i)["img_path"]: (getattr(part, "exif", "apply"), bits_of(part))
        for part in built_datasets(dataset)
        for i in range(len(part))
    }


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Show a live bar with loss and time left, on a terminal; elsewhere nothing.

    The lines of the log go on above it.
    """

    priority = "VERY_LOW"

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task = None  # the loop that advances now
        self._train_task = None

    def before_run(self, runner) -> None:
        """Open the bar."""
        if not (is_main_process() and sys.stdout.isatty()):
            return
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(),
            redirect_stdout=True,
        )
        self._progress.start()
        atexit.register(self.after_run, runner)  # a run that ends early leaves the terminal as it was
        for handler in runner.logger.handlers[:1]:
            handler.setStream(sys.stdout)  # rich's stand-in, which prints above the bar

    def after_run(self, runner) -> None:
        """Close the bar."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            for handler in runner.logger.handlers[:1]:
                handler.setStream(sys.stdout)

    def before_train(self, runner) -> None:
        """Start the bar of the training loop."""
        if self._progress is not None:
            self._train_task = self._progress.add_task("train", total=runner.max_iters, completed=runner.iter, note="")

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs: dict | None = None) -> None:
        """Advance it."""
        if self._progress is not None:
            note = f"loss {float(outputs['loss']):.3f}" if outputs and "loss" in outputs else ""
            self._progress.update(self._train_task, completed=runner.iter + 1, note=note)

    def before_val_epoch(self, runner) -> None:
        """Start the bar of a validation."""
        self._start("validate", runner.val_dataloader)

    def before_test_epoch(self, runner) -> None:
        """Start the bar of a test."""
        self._start("test", runner.test_dataloader)

    def _start(self, description: str, dataloader) -> None:
        if self._progress is not None:
            self._task = self._progress.add_task(description, total=len(dataloader), note="")

    def after_val_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Advance it."""
        if self._progress is not None:
            self._progress.advance(self._task)

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Advance it."""
        if self._progress is not None:
            self._progress.advance(self._task)

    def after_val_epoch(self, runner, metrics: dict | None = None) -> None:
        """Remove the bar of the validation."""
        if self._progress is not None:
            self._progress.remove_task(self._task)
