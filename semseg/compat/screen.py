"""Keep off the screen what the stack prints and warns, and a user of this project can ignore."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import sys
import warnings
from typing import Any

NOISE = (
    # Each is printed at import or at every start, and a user of this project can ignore it.
    r"Fail to import ``MultiScaleDeformableAttention``",  # a compiled operator of other models
    r"The draw is False, it means that the",  # SegVisualizationHook; PanelHook draws instead
    r"The prefix is not set in metric class",
    r"`Visualizer` backend is not initialized because save_dir is None",
    r"Config.*deprecat|pretrained.*is deprecated|`pretrained`.*init_cfg",
    r"``build_loss`` would be deprecated soon|``build_.*`` would be deprecated soon",
    r"Setting (?:OMP|MKL)_NUM_THREADS environment variable",
    r"`broadcast_buffers` is deprecated",
    r"'pin_memory' argument is set as true but no accelerator is found",
    r"torch.cuda.amp.GradScaler|`torch.cuda.amp.*` is deprecated",
    r"Failed to search registry with scope",
    r"torch.meshgrid",
    r"Use same attn_mask in all attentions",  # how DETR, Mask2Former and SAN are built
    r"This DataLoader will create \d+ worker processes",  # check_machine warns too, and names the option to set
    r"For binary segmentation, we suggest using",
    r"The shape of value will convert from",  # masks without a channel axis get one
    r"Default ``avg_non_ignore`` is False",  # the recipes keep the model zoo's value
    r"Original LayerDecayOptimizerConstructor of BEiT will be deprecated|Layer_decay_rate will be deleted",
    # for every size of pictures; the check before a training names crops that do not fit
    r"When align_corners=True, the output would more aligned if",
    r"In MMCV v1.4.4, we modified the default value of args",  # of an activation, in an old release
)


def silence_noise() -> None:
    """Keep harmless warnings of the stack off the screen.

    Cause: the stack warns about its own optional parts. `NOISE` lists the messages; all other warnings are shown.
    """
    for message in NOISE:
        warnings.filterwarnings("ignore", message=rf"[\s\S]*(?:{message})")


def import_quietly() -> None:
    """Import MMSegmentation without the lines that it prints.

    Defect: `import mmseg.datasets` prints "Could not import OneDL" twice, to standard output.
    Cause: `print_log(…, logger=None)` ignores the level.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        import mmseg.datasets
        import mmseg.evaluation
        import mmseg.models
        import mmseg.visualization  # noqa: F401
    for line in printed.getvalue().splitlines():
        if "Could not import OneDL" not in line:
            print(line, file=sys.stderr)


def load_checkpoints_quietly() -> None:
    """Drop the line that every load prints without the logger, on every rank.

    Defect: "Loads checkpoint by local backend from path" is printed once per process. Cause: as in `import_quietly`.
    The log still has "Load checkpoint from …".
    """
    import mmengine.runner.checkpoint as stock
    from mmengine.logging import print_log

    def print_log_unless_repeated(msg: object, logger: Any = None, level: int = logging.INFO) -> None:
        if not (logger is None and str(msg).startswith("Loads checkpoint by")):
            print_log(msg, logger, level)

    stock.print_log = print_log_unless_repeated


def keep_long_records_off_screen() -> None:
    """Write the environment, the whole config and the table of hooks to the log file only.

    Defect: MMEngine prints about 400 lines before the first iteration. Cause: `Runner._log_env`.
    """
    from mmengine.logging import MMLogger

    stock_init = MMLogger.__init__
    if hasattr(stock_init, "__wrapped__"):  # repaired already
        return

    @functools.wraps(stock_init)
    def init(self: MMLogger, *args: Any, **kwargs: Any) -> None:
        stock_init(self, *args, **kwargs)
        self.handlers[0].addFilter(_belongs_on_screen)  # the first handler is the screen

    MMLogger.__init__ = init


def _belongs_on_screen(record: logging.LogRecord) -> bool:
    is_wanted = getattr(record, "on_screen", True)  # False: the caller prints it in another way
    return is_wanted and not any(start in str(record.msg)[:200] for start in _LOG_FILE_ONLY)


_LOG_FILE_ONLY = (
    "System environment:",
    "Config:\n",
    "Hooks will be executed in the following order",
    "Distributed training is not used, all SyncBatchNorm",
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    "The prefix is not set in metric class",
    " is skipped since its requires_grad=False",  # frozen parameters, one line for each
    "paramwise_options -- ",  # up to three lines per parameter
    "self.paramwise_cfg is ",
    "Build LearningRateDecayOptimizerConstructor",
    "set param ",
    "Param groups = ",
)


def log_layer_decay() -> None:
    """Write the layer-wise decay of learning rates to the log file only.

    Defect: hundreds of lines are printed before the first iteration of a BEiT, MAE or ConvNeXt, and one of a SegNeXt.
    Cause: `print_log` without a logger prints, and MSCAN prints.
    """
    import mmseg.engine.optimizers.layer_decay_optimizer_constructor as stock
    import mmseg.models.backbones.mscan as mscan
    from mmengine.logging import print_log

    stock.print_log = functools.partial(print_log, logger="current")
    # pyrefly: ignore[missing-attribute]  # a global of this module hides the built-in
    mscan.print = lambda *args: None  # it prints "init cfg None"
