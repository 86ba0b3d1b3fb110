"""What happens around the loops: pictures, and a progress bar."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmseg.registry import HOOKS
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from semseg import drawing
from semseg.atomic import atomic_path
from semseg.prepare.image_files import read_image

TENSORBOARD_WIDTH_PX = 1024


@HOOKS.register_module()
class PanelHook(Hook):
    """Paint truth and prediction side by side.

    At every validation it paints the same few images, to `<run>/panels/NAME_iter_000400.jpg` and to
    TensorBoard, so that a person sees them improve. In a test it paints every image, if `show_dir` is given.
    Every rank paints the images that it predicts.

    Args:
        num_images: how many validation images, evenly spread over the set; 0 for none.
        show_dir: folder for the pictures of a test; they keep the names and sub-folders of their images.
    """

    def __init__(self, num_images: int = 8, show_dir: str | None = None) -> None:
        self.num_images = num_images
        self.show_dir = show_dir
        self._panel_paths: dict[str, Path] = {}  # image path -> where its picture goes

    def before_val_epoch(self, runner) -> None:
        """Choose the images."""
        dataset = runner.val_dataloader.dataset
        num_images = min(self.num_images, len(dataset))
        indices = np.linspace(0, len(dataset) - 1, num_images).round().astype(int) if num_images else []
        names = _output_names(dataset, indices, f"_iter_{runner.iter:06d}.jpg")
        panel_dir = Path(runner.log_dir) / "panels"
        self._panel_paths = {image: panel_dir / "_".join(name.parts) for image, name in names.items()}

    def after_val_iter(self, runner, batch_idx: int, data_batch=None, outputs: Sequence = ()) -> None:
        """Paint the chosen images of this batch."""
        self._paint(runner.val_dataloader.dataset, outputs)

    def after_val_epoch(self, runner, metrics: dict | None = None) -> None:
        """Send what all ranks painted to TensorBoard."""
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
        names = _output_names(dataset, range(len(dataset)), ".jpg") if self.show_dir else {}
        self._panel_paths = {image: Path(self.show_dir) / name for image, name in names.items()}

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs: Sequence = ()) -> None:
        """Paint the images of this batch."""
        self._paint(runner.test_dataloader.dataset, outputs)

    def _paint(self, dataset, outputs: Sequence) -> None:
        for sample in outputs:
            path = self._panel_paths.get(sample.img_path)
            if path is None:
                continue
            target, predicted = (
                field.data.squeeze(0).cpu().numpy().astype(np.uint8)
                for field in (sample.gt_sem_seg, sample.pred_sem_seg)
            )
            image = read_image(sample.img_path, getattr(dataset, "exif", "apply"))
            if image.shape[:2] != target.shape:
                image = cv2.resize(image, target.shape[::-1], interpolation=cv2.INTER_AREA)
            panel = drawing.truth_and_prediction(
                image, target, predicted, dataset.metainfo["classes"], dataset.metainfo["palette"]
            )
            with atomic_path(path) as temporary:
                Image.fromarray(panel).save(temporary, quality=90)


def _output_names(dataset, indices: Sequence[int], ending: str) -> dict[str, Path]:
    """Map image paths to relative output paths; where two would collide, the image's suffix is kept."""
    root = Path(dataset.data_prefix.get("img_path") or ".")
    images = [dataset.get_data_info(int(i))["img_path"] for i in indices]
    relative = {image: Path(image).relative_to(root) if Path(image).is_relative_to(root) else Path(image).name
                for image in images}  # fmt: skip
    stems = [Path(name).with_suffix("") for name in relative.values()]
    return {
        image: Path(name).with_name((stem.name if stems.count(stem) == 1 else Path(name).name) + ending)
        for (image, name), stem in zip(relative.items(), stems, strict=True)
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
