"""Repairs to the pinned stack (MMEngine, MMCV, MMSegmentation), one function per defect.

Each function names the defect and its cause. A test in `tests/compat/` fails as soon as the stack has fixed the
defect: then the repair can be removed. No other folder of this project uses internals of MMEngine.
"""

from __future__ import annotations

import contextvars
import copy
import functools
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from semseg.compat import convolutions, input_channels, input_sizes, late_imports, losses, operators
from semseg.compat.checkpoint_files import (  # noqa: F401
    checkpoints_are_trusted,
    files_read_once,
    load_checkpoint_file,
    load_weights_only,
    read_once,
    trust_checkpoints,
)
from semseg.compat.screen import (
    import_quietly,
    keep_long_records_off_screen,
    load_checkpoints_quietly,
    log_layer_decay,
    silence_noise,
)
from semseg.system.atomic import atomic_path


def repair() -> None:
    """Apply every repair; calling it again changes nothing."""
    silence_noise()
    operators.import_all_operators()  # before MMSegmentation imports MMDetection
    import_quietly()
    load_weights_only()
    load_checkpoints_quietly()
    keep_long_records_off_screen()
    format_configs_once()
    write_scores_once()
    log_layer_decay()
    late_imports.repair()
    average_weighted_losses()
    refuse_san_without_clip()
    losses.repair()
    input_sizes.pad_inputs()
    input_channels.normalise_any_channels()
    convolutions.differentiate_grouped_convolutions()
    operators.use_operators_in_python()


def average_weighted_losses() -> None:
    """Make class weights and `avg_non_ignore=True` work together in a CrossEntropyLoss.

    Defect: the first iteration fails with an IndexError. Cause: `cross_entropy` sums the weights of the labelled
    pixels, and then removes the ignored pixels from that sum a second time. With class weights the mean is always
    over the labelled pixels.
    """
    import mmseg.models.losses.cross_entropy_loss as stock

    stock_cross_entropy = stock.cross_entropy
    if hasattr(stock_cross_entropy, "__wrapped__"):  # repaired already
        return

    @functools.wraps(stock_cross_entropy)  # losses store it, and are pickled with its name
    def cross_entropy(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("class_weight") is not None:
            kwargs["avg_non_ignore"] = False
        return stock_cross_entropy(*args, **kwargs)

    stock.cross_entropy = cross_entropy


def refuse_san_without_clip() -> None:
    """Raise an error that names what SAN needs if its config has no weights of CLIP.

    Defect: "'super' object has no attribute 'init_weights'". Cause: `RecWithAttnbias.init_weights` calls the method of
    `nn.Module`, which does not exist. The layers of SAN and of its frozen encoders are not initialised in another way:
    their scores would be NaN.
    """
    from mmseg.models.decode_heads.san_head import RecWithAttnbias

    stock_init_weights = RecWithAttnbias.init_weights
    if hasattr(stock_init_weights, "__wrapped__"):  # repaired already
        return

    @functools.wraps(stock_init_weights)
    def init_weights(self: Any, rec_state_dict: dict | None) -> None:
        if rec_state_dict is None:
            raise ValueError(
                "SAN cannot learn from scratch: set model.decode_head.init_cfg.checkpoint (and those of"
                " image_encoder and text_encoder) to a file with the weights of CLIP"
            )
        stock_init_weights(self, rec_state_dict)

    RecWithAttnbias.init_weights = init_weights


def init_cpu_process_group() -> None:
    """Create the process group of processes that torchrun started on a machine without a GPU.

    Defect: `--launcher pytorch` calls `torch.cuda.set_device` even for gloo, which fails.
    Cause: `mmengine.dist.utils._init_dist_pytorch`. The Runner skips it if there is a process group already.
    """
    import multiprocessing

    if multiprocessing.get_start_method(allow_none=True) is None:
        multiprocessing.set_start_method("fork")  # as env_cfg.mp_cfg in the configs
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group(backend="gloo")


def prepare_for_cpu_processes(model: dict) -> tuple[dict, dict]:
    """Return a model with BN instead of SyncBN, and the wrapper for DDP over CPU processes.

    Defects: DDP gets `device_ids`, which CPU modules refuse; and SyncBN refuses CPU tensors as soon as a process group
    exists. Cause: `Runner.wrap_model` passes LOCAL_RANK as a device unless `model_wrapper_cfg` is set, and PyTorch has
    no CPU kernel for SyncBN. With BN each process normalises over its own part of the batch, as on a single GPU.

    Args:
        model: `cfg.model`; not changed.

    Returns:
        The model, and a `model_wrapper_cfg`.
    """
    model = copy.deepcopy(model)
    _replace_sync_bn(model)
    return model, dict(type="MMDistributedDataParallel", device_ids=None, broadcast_buffers=False)


def _replace_sync_bn(node: Any) -> None:
    """Replace SyncBN by BN in all dicts below a node. Modifies `node`."""
    if isinstance(node, dict):
        if node.get("type") in ("SyncBN", "MMSyncBN"):
            node["type"] = "BN"
        for child in node.values():
            _replace_sync_bn(child)
    elif isinstance(node, (list, tuple)):
        for child in node:
            _replace_sync_bn(child)


def format_configs_once() -> None:
    """Format the text of a config once, and not again for every checkpoint.

    Defect: each checkpoint, log and visualizer backend waits 0.3 s for the text of the same config, or 1 s for that of
    a large model. Cause: `Config.pretty_text` runs YAPF at every access.
    """
    from mmengine.config import Config

    stock_pretty_text = Config.pretty_text.fget
    if stock_pretty_text is None or hasattr(stock_pretty_text, "__wrapped__"):
        return

    @functools.wraps(stock_pretty_text)
    def pretty_text(self: Config) -> str:
        from yapf.yapflib import yapf_api  # here, because most programs format no config

        if not hasattr(yapf_api.FormatCode, "__wrapped__"):
            yapf_api.FormatCode = _remembering_texts(yapf_api.FormatCode)
        return stock_pretty_text(self)

    Config.pretty_text = property(pretty_text)


def _remembering_texts(format_code: Callable) -> Callable:
    """Return YAPF's `FormatCode` with a memory for the last texts."""
    results: dict[tuple, Any] = {}

    @functools.wraps(format_code)
    def remembering(*args: Any, **kwargs: Any) -> Any:
        key = (repr(args), repr(kwargs))  # the style is a dict
        if key not in results:
            while len(results) >= _NUM_REMEMBERED_TEXTS:
                results.pop(next(iter(results)))
            results[key] = format_code(*args, **kwargs)
        return results[key]

    return remembering


_NUM_REMEMBERED_TEXTS = 8


def forget_visualizer(cfg: Any) -> None:
    """Let a run have a visualizer of its own.

    Defect: a training after a test in the same process gets the visualizer of the test, without TensorBoard.
    Cause: MMEngine keeps visualizers for the whole process, by a name that is the same in every config.
    """
    from mmseg.registry import VISUALIZERS

    settings = cfg.get("visualizer") or {}
    kind = VISUALIZERS.get(settings["type"]) if isinstance(settings.get("type"), str) else settings.get("type")
    if kind is not None:
        kind._instance_dict.pop(settings.get("name"), None)


def write_scores_once() -> None:
    """Let only rank 0 write the scores of a test, as a file that is whole or not there.

    Defects: all ranks write the same JSON file at the same time, which sometimes damages it; and a power cut leaves a
    part of it. Cause: `LoggerHook.after_test_epoch` writes without checking the rank, and under the final name.
    """
    import mmengine.hooks.logger_hook as stock
    from mmengine.dist import master_only

    hook, stock_dump = stock.LoggerHook, stock.dump
    if hasattr(hook.after_test_epoch, "__wrapped__"):
        return

    def dump(obj: Any, file: Any) -> None:
        with atomic_path(Path(file)) as temporary:
            stock_dump(obj, temporary)

    hook.after_test_epoch = master_only(hook.after_test_epoch)
    stock.dump = dump  # pyrefly: ignore[bad-assignment] the hook gives no other arguments


def use_registered_names_only() -> None:
    """Build only what is registered, from now on in this context: for configs that are not trusted.

    As in `trust_checkpoints`, a context is one of `contextvars`.

    Defect: a name that no registry knows is imported and called: `type='os.system'` runs a command. Cause:
    `Registry.get` falls back to `get_object_from_string`, and imports `<scope>.registry` for a name with a dot.
    """
    import mmengine.registry.registry as stock

    def import_known(name: str, package: str | None = None) -> ModuleType:
        is_known = name.partition(".")[0] in ("mmengine", "mmcv", "mmseg") or name in sys.modules
        if _registered_only.get() and not is_known:
            raise ImportError(f"{name} is not imported for a name in a config")
        return importlib.import_module(name, package)

    def find_object(obj_name: str) -> Any:
        return None if _registered_only.get() else find_by_path(obj_name)

    _registered_only.set(True)
    if stock.import_module is importlib.import_module:  # the first time in this process
        find_by_path = stock.get_object_from_string
        stock.get_object_from_string = find_object
        stock.import_module = import_known


def only_registered_names_are_used() -> bool:
    """Return whether `use_registered_names_only` was called in this context."""
    return _registered_only.get()


_registered_only: contextvars.ContextVar[bool] = contextvars.ContextVar("registered_names_only", default=False)
