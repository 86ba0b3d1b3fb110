"""Parts of a model that are not trained."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS, RUNNERS
from torch import nn

from semseg.config.patch import Patch
from semseg.errors import InvalidConfigError
from semseg.training.options import FreezeOptions
from semseg.training.runner_parts import bare_model


def configure(cfg: Config, options: FreezeOptions) -> Patch:
    """Freeze parts of the model: those of the option, else the `frozen_parts` of the config.

    Raises:
        ValueError: the config has another `runner_type`.
    """
    values: dict = {}
    if options.freeze:
        values[("frozen_parts",)] = sorted(set(options.freeze))
    if values or cfg.get("frozen_parts"):
        if cfg.get("runner_type", "Runner") not in ("Runner", "FreezingRunner"):
            raise InvalidConfigError(
                f"`freeze` works with MMEngine's Runner, not with runner_type {cfg.runner_type!r}",
                code="E-config-unsupported",
            )
        values[("runner_type",)] = "FreezingRunner"
    return Patch(values, hooks=[dict(type="FrozenPartsHook")])


@RUNNERS.register_module()
class FreezingRunner(Runner):
    """MMEngine's Runner for a model whose `frozen_parts` are not trained.

    A hook would be too late: parameters have to be frozen before DDP wraps the model, because DDP then waits for the
    gradient of every parameter that requires one. FrozenPartsHook does the rest.
    """

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Freeze, then wrap."""
        freeze(model, self.cfg.frozen_parts)
        return super().wrap_model(model_wrapper_cfg, model)


def freeze(model: nn.Module, parts: Sequence[str]) -> None:
    """Exclude the parameters of some modules from the training. Modifies `model`.

    Args:
        model: to be trained.
        parts: names of its modules, such as `backbone` or `backbone.layer1`.

    Raises:
        ValueError: no such module, or no parameter is left to train.
    """
    modules = {name: module for name, module in model.named_modules() if name and len(list(module.parameters()))}
    for part in parts:
        if part not in modules:
            known = [name for name in modules if re.fullmatch(r"(backbone\.)?\w+", name)]
            near = difflib.get_close_matches(part, modules, 1, 0.5)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InvalidConfigError(
                f"`freeze` {part}: the model has no such part; {hint}there are {', '.join(known)}",
                code="E-config-frozen-parts",
            )
        modules[part].requires_grad_(False)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InvalidConfigError(
            f"`freeze` {' '.join(parts)} leaves nothing that learns; leave one out", code="E-config-frozen-parts"
        )


@HOOKS.register_module()
class FrozenPartsHook(Hook):
    """Keep the `frozen_parts` of a config unchanged: no new norm statistics, no dropout.

    A resumed run has to freeze the same parts as before.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare with the run that is resumed.

        Raises:
            ValueError: other parts were frozen.
        """
        before = checkpoint.get("message_hub", {}).get("runtime_info", {}).get("frozen_parts", [])
        if runner.cfg.get("resume") and before != runner.cfg.get("frozen_parts", []):
            how = f"with `freeze` {' '.join(before)}" if before else "without `freeze`"
            raise InvalidConfigError(
                f"{runner.cfg.load_from} was trained {how}: resume it so, or start a new run from it with `load_from`",
                code="E-config-resume-differs",
            )

    def before_train(self, runner: Runner) -> None:
        """Log how many parameters are trained, and store the frozen parts in the checkpoints."""
        frozen = runner.cfg.get("frozen_parts", [])
        runner.message_hub.update_info("frozen_parts", frozen)
        if frozen:
            sizes = [(parameter.numel(), parameter.requires_grad) for parameter in runner.model.parameters()]
            learning, total = sum(size for size, learns in sizes if learns), sum(size for size, _ in sizes)
            runner.logger.info(f"frozen: {', '.join(frozen)}; {learning:,} of {total:,} parameters learn")

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Undo `model.train()`, which the loop calls before every iteration, for the frozen parts."""
        for part in runner.cfg.get("frozen_parts", []):
            bare_model(runner).get_submodule(part).eval()
