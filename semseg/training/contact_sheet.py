"""Pictures of the training samples as the network receives them."""

from __future__ import annotations

from pathlib import Path

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from semseg.datasets import samples
from semseg.visualization import drawing
from semseg.visualization.picture_files import save_jpeg


@HOOKS.register_module()
class ContactSheetHook(Hook):
    """Draw a few training samples with their masks before the first iteration.

    They are augmented by the training pipeline, as the network receives them, and are the same for the same config.
    The sheet goes to `<run>/contact_sheet.jpg` and to TensorBoard. The random numbers of the run do not change.

    Args:
        num_samples: how many; 0 for none.
    """

    def __init__(self, num_samples: int = 8) -> None:
        self.num_samples = num_samples

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Draw the sheet."""
        if not self.num_samples:
            return
        dataset = runner.train_dataloader.dataset
        drawn = samples.from_dataset(dataset, self.num_samples, size=samples.padded_size(runner.cfg))
        title = f"{len(drawn.samples)} of {drawn.num_all} training samples as the network receives them"
        sheet = drawing.draw_contact_sheet(drawn.samples, drawn.classes, drawn.palette, title)
        save_jpeg(sheet, Path(runner.log_dir) / "contact_sheet.jpg")
        for backend in runner.cfg.get("visualizer", {}).get("vis_backends") or []:
            if backend["type"] != "LocalVisBackend":  # would write the sheet a second time
                experiment = runner.visualizer.get_backend(backend["type"])
                experiment.add_image("contact_sheet", sheet, runner.iter)
