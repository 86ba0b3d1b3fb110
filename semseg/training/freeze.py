"""Parts of a model that don't learn."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS, RUNNERS
from torch import nn

from semseg.config.patch import Patch
from semseg.errors import InvalidConfigError
from semseg.training.options import FreezeOptions


def configure(cfg: Config, options: FreezeOptions) -> Patch:
    """Leave parts of the model as they are: those that are named, else the `frozen_parts` of the config.

    Raises:
        ValueError: the config has a Runner of its own.
    """
    values: dict = {}
    if options.freeze:
        values[("frozen_parts",)] = sorted(set(options.freeze))
    if values or cfg.get("frozen_parts"):
        if cfg.get("runner_type", "Runner") not in ("Runner", "FreezingRunner"):
            raise InvalidConfigError(f"--freeze works with MMEngine's Runner, not with runner_type {cfg.runner_type!r}")
        values[("runner_type",)] = "FreezingRunner"
    return Patch(values, hooks=[dict(type="FrozenPartsHook")])


@RUNNERS.register_module()
class FreezingRunner(Runner):
    """MMEngine's Runner for a model of which the `frozen_parts` of its config don't learn.

    It is no hook, for it has to come before DDP wraps the model, which then waits for the gradient of every
    parameter that wants one; there are no hooks that early. FrozenPartsHook does the rest.
    """

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Freeze, then wrap."""
        freeze(model, self.cfg.frozen_parts)
        return super().wrap_model(model_wrapper_cfg, model)


def freeze(model: nn.Module, parts: Sequence[str]) -> None:
    """Take the parameters of some modules out of the training (in place).

    Args:
        model: to be trained.
        parts: names of its modules, such as `backbone` or `backbone.layer1`.

    Raises:
        ValueError: no such module, or nothing is left to learn.
    """
    modules = {name: module for name, module in model.named_modules() if name and len(list(module.parameters()))}
    for part in parts:
        if part not in modules:
            known = [name for name in modules if re.fullmatch(r"(backbone\.)?\w+", name)]
            near = difflib.get_close_matches(part, modules, 1, 0.5)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InvalidConfigError(f"--freeze {part}: the model has no such part; {hint}there are {', '.join(known)}")
        modules[part].requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InvalidConfigError(f"--freeze {' '.join(parts)} leaves nothing that learns; leave one out")


@HOOKS.register_module()
class FrozenPartsHook(Hook):
    """Keep the `frozen_parts` of a config as they were: no new norm statistics, no dropout.

    A resumed run has to freeze what it froze before.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare with the run that is resumed.

        Raises:
            ValueError: it froze other parts.
        """
        before = checkpoint.get("message_hub", {}).get("runtime_info", {}).get("frozen_parts", [])
        if runner.cfg.get("resume") and before != runner.cfg.get("frozen_parts", []):
            flag = f"with --freeze {' '.join(before)}" if before else "without --freeze"
            raise InvalidConfigError(
                f"{runner.cfg.load_from} was trained {flag}: resume it so, or start a new run from it with --load-from"
            )

    def before_train(self, runner: Runner) -> None:
        """Say how much learns, in the log and in the checkpoints."""
        frozen = runner.cfg.get("frozen_parts", [])
        runner.message_hub.update_info("frozen_parts", frozen)
        if frozen:
            sizes = [(parameter.numel(), parameter.requires_grad) for parameter in runner.model.parameters()]
            learning, total = sum(size for size, learns in sizes if learns), sum(size for size, _ in sizes)
            runner.logger.info(f"frozen: {', '.join(frozen)}; {learning:,} of {total:,} parameters learn")

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Undo what the loop does before every iteration: `model.train()`."""
        for part in runner.cfg.get("frozen_parts", []):
            model = runner.model.module if is_model_wrapper(runner.model) else runner.model
            model.get_submodule(part).eval()
