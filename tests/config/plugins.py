"""Small plugins for the tests."""

import sys
from pathlib import Path

from semseg.config import plugin_files

LOSS = """import torch
from mmseg.registry import MODELS

@MODELS.register_module()
class OwnLoss(torch.nn.Module):
    loss_name = "loss_own"
    def forward(self, scores, target, weight=None, ignore_index=255, **kwargs):
        return torch.nn.functional.cross_entropy(scores, target, ignore_index=ignore_index)
"""


def forget_plugins(modules_before, folder):
    """Remove all plugins, and the modules of a folder that were not there before."""
    for plugin in plugin_files.imported_plugins():
        for name in plugin.modules:
            plugin_files._forget(name)
    for name in set(sys.modules) - modules_before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(folder):
            plugin_files._forget(name)
