"""Which weights a new run starts from, and which of them it leaves as they are."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.config import Config

from semseg.config.hooks import ensure_hook
from semseg.errors import InvalidConfigError


def fine_tune(cfg: Config, load_from: str | None, freeze: Sequence[str] = (), resume: str | None = None) -> None:
    """Make a training (in place) start from a checkpoint, and leave parts of the model as they are.

    Args:
        cfg: of a training, in which it is settled whether it resumes one.
        load_from: a path or an address; default: the config's own.
        freeze: names of modules, such as `backbone` or `backbone.layer1`; default: the config's `frozen_parts`.
        resume: what was asked for; with `auto` a run that cannot be continued starts from `load_from`.

    Raises:
        FileNotFoundError: no such checkpoint; the sentence lists those beside it.
        ValueError: `load_from` with a run that is to be continued; `freeze` with a Runner of the config's own.
    """
    from semseg.config.from_checkpoint import existing_checkpoint

    if load_from is not None:
        if cfg.get("resume") and resume != "auto":
            raise InvalidConfigError("--load-from starts a new run, and --resume continues one; leave one of them out")
        if not cfg.get("resume"):
            cfg.load_from = load_from
    if cfg.get("load_from") and not cfg.get("resume"):
        if "://" not in cfg.load_from:
            cfg.load_from = str(existing_checkpoint(cfg.load_from))
        _leave_out_pretrained(cfg)
        ensure_hook(cfg, dict(type="FineTuningHook"))
    if freeze:
        cfg.frozen_parts = sorted(set(freeze))
    if cfg.get("frozen_parts"):
        if cfg.get("runner_type", "Runner") not in ("Runner", "FreezingRunner"):
            raise InvalidConfigError(f"--freeze works with MMEngine's Runner, not with runner_type {cfg.runner_type!r}")
        cfg.runner_type = "FreezingRunner"
    ensure_hook(cfg, dict(type="FrozenPartsHook"))


def _leave_out_pretrained(cfg: Config) -> None:
    """Fetch no weights for a backbone that gets those of the checkpoint."""
    for node in (cfg.model, cfg.model.get("backbone") or {}):
        if node.get("pretrained") is not None:
            node["pretrained"] = None
    backbone = cfg.model.get("backbone") or {}
    if isinstance(backbone.get("init_cfg"), dict) and backbone["init_cfg"].get("type") == "Pretrained":
        backbone["init_cfg"] = None
