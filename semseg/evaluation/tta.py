"""Test-time augmentation: average the scores of several scales and of the mirrored image."""

from __future__ import annotations

from dataclasses import replace

from mmengine.config import Config

from semseg.config.dataset_files import views_pipeline
from semseg.config.patch import Patch, changes
from semseg.config.tree import inner_datasets
from semseg.errors import InvalidInputError
from semseg.evaluation.options import TtaOptions

_KEYS = ("tta_model", "tta_pipeline")


def configure(cfg: Config, options: TtaOptions) -> Patch:
    """Make the views of an image with `tta_pipeline` of the config, and average their scores with its `tta_model`.

    Raises:
        ValueError: the config has no such keys.
    """
    check(cfg, options)
    if not options.tta:
        return Patch()

    def edit(edited: Config) -> None:
        for dataset in inner_datasets(edited.test_dataloader.dataset):
            dataset.pipeline = views_pipeline(edited, dataset)

    patch = changes(cfg, edit, "test-time augmentation: the scores of the views of tta_pipeline are averaged")
    return replace(patch, wraps={("model",): (cfg.tta_model, "module")})


def check(cfg: Config, options: TtaOptions) -> None:
    """Check that the config supports the options, before a checkpoint is read.

    Raises:
        ValueError: `tta` is set, and `tta_model` or `tta_pipeline` is missing.
    """
    missing = [key for key in _KEYS if key not in cfg] if options.tta else []
    if missing:
        raise InvalidInputError(f"`tta` needs {' and '.join(missing)} in the config", code="E-config-key")
