"""Outputs of an evaluation for each image: predicted train ids, and a picture of truth and prediction."""

from __future__ import annotations

from mmengine.config import Config

from semseg.config.hooks import replace_hook
from semseg.config.metrics import counting_evaluators
from semseg.config.patch import Patch, changes
from semseg.evaluation.options import PredictionsOptions


def configure(cfg: Config, options: PredictionsOptions) -> Patch:
    """Set the output folders of the metric and of PanelHook.

    Raises:
        ValueError: `out_dir` is given, and the config has no ConfusionMetric.
    """

    def edit(edited: Config) -> None:
        if options.out_dir is not None:
            for evaluator in counting_evaluators(edited, "`out_dir` needs"):
                evaluator.update(output_dir=str(options.out_dir))
        show_dir = None if options.show_dir is None else str(options.show_dir)
        panel_hook = next((hook for hook in edited.get("custom_hooks") or [] if hook["type"] == "PanelHook"), None)
        if panel_hook is not None:
            panel_hook["show_dir"] = show_dir
        elif show_dir is not None:
            replace_hook(edited, dict(type="PanelHook", show_dir=show_dir))

    folders = {"predicted train ids": options.out_dir, "a picture of every image": options.show_dir}
    return changes(cfg, edit, *(f"{what}: {folder}" for what, folder in folders.items() if folder is not None))
