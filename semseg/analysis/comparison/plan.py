"""Plan a comparison: which models, under which budget, on which data; and check that they can be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.registry import init_default_scope

from semseg.analysis.options import ComparisonOptions
from semseg.checkpoints.fingerprint import data_fingerprint
from semseg.checkpoints.plain import plain
from semseg.config import load_config
from semseg.config.classes import classes_of
from semseg.config.schedule import scale_schedule
from semseg.datasets.built_sets import build_without_pipelines
from semseg.errors import InvalidConfigError, InvalidInputError
from semseg.system.atomic import check_folder

_NUM_VALIDATIONS = 5  # points of a learning curve, and checkpoints to continue from
_NUM_LOGGED = 50  # points of a curve of the loss
_WINDOW = 10  # iterations that MMEngine averages for a line of the log
_SET_HERE = ("train_cfg.max_iters", "train_cfg.val_interval", "train_cfg.val_begin")
_NOT_OF_THE_MODEL = ("work_dir", "launcher", "randomness")


class Budget(NamedTuple):
    """What each training may take: minutes, or iterations; the other one is None."""

    minutes: float | None
    iters: int | None

    def __str__(self) -> str:
        return f"{self.iters} iterations" if self.minutes is None else f"{self.minutes:g} minutes of training"


@dataclass(frozen=True)
class Model:
    """A config of the comparison.

    Attributes:
        name: of its file.
        given: as it was given, for command lines.
        cfg: with the data and options of the comparison.
        digest: changes with any value of the config, and with the content of a plugin.
        data: fingerprint of the files that it is trained and tested on.
        folder: of its runs.
    """

    name: str
    given: str
    cfg: Config
    digest: str
    data: Mapping[str, Any]
    folder: Path


class Run(NamedTuple):
    """One training of a comparison; `folder` is its work folder."""

    model: Model
    seed: int
    folder: Path

    @property
    def title(self) -> str:
        """Name and seed, for messages."""
        return f"{self.model.name}, seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """All runs of a comparison."""

    models: tuple[Model, ...]
    budget: Budget
    options: ComparisonOptions

    def runs(self) -> Iterator[Run]:
        """Yield the runs in their order: all models with the first seed, then with the second."""
        for seed in range(self.options.seeds):
            for model in self.models:
                yield Run(model, seed, model.folder / f"seed_{seed}")


def make_plan(configs: Sequence[str], options: ComparisonOptions) -> Plan:
    """Read all configs and check that they can be compared; nothing is written.

    Raises:
        FileNotFoundError: no such config, or its data are missing.
        ValueError: an option is out of range, a config is wrong, or the configs read different data.
    """
    budget = _read_budget(options)
    check_folder(options.out_dir, "out_dir")
    names = [Path(config).name.removesuffix(".py") for config in configs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidInputError(
            f"two configs are called {twice}; rename one, or leave it out", code="E-input-incomparable"
        )
    models = tuple(_read_model(name, given, options) for name, given in zip(names, configs, strict=True))
    classes = [classes_of(model.cfg.test_dataloader) for model in models]
    for model, own_classes in zip(models[1:], classes[1:], strict=True):
        if model.data != models[0].data or own_classes != classes[0]:
            raise InvalidInputError(
                f"{models[0].name} and {model.name} read different data ({_describe(models[0].data)} and "
                f"{_describe(model.data)}); give `data`, a dataset.yaml for all",
                code="E-input-incomparable",
            )
    if models[0].data["images"]["test"] < 2:
        raise InvalidInputError(
            f"{names[0]} is tested on {_describe(models[0].data)}; a comparison needs two or more test images",
            code="E-input-incomparable",
        )
    return Plan(models, budget, options)


def training_options(model: Model, max_iters: int) -> list[str]:
    """Return the config options of a training of this length: `key.path=value`.

    The learning rate reaches its end with the last iteration. The training is validated several times, for the
    learning curve, and saves a checkpoint each time.
    """
    interval = -(-max_iters // _NUM_VALIDATIONS)
    options = [*scale_schedule(model.cfg, max_iters), f"train_cfg.val_interval={interval}"]
    hooks = model.cfg.get("default_hooks") or {}
    if hooks.get("checkpoint"):
        options.append(f"default_hooks.checkpoint.interval={interval}")
    if hooks.get("logger"):
        options.append(f"default_hooks.logger.interval={max(1, min(_WINDOW, max_iters // _NUM_LOGGED))}")
    return options


def command_words(model: Model, options: ComparisonOptions, config_options: Sequence[str]) -> list[str]:
    """Return the part of a command line that is the same for all programs: data, plugins, and options of the config."""
    words = [word for path in options.data or () for word in ("--data", path)]
    plugins = [options.plugins] if isinstance(options.plugins, (str, Path)) else options.plugins or ()
    words += [word for plugin in plugins for word in ("--plugin", str(plugin))]
    config_options = [*options.cfg_options, *config_options]
    return [*words, "--cfg-options", *config_options] if config_options else words


def _read_budget(options: ComparisonOptions) -> Budget:
    if (options.minutes is None) == (options.iters is None):
        raise InvalidInputError(
            "expected the budget of each training: `minutes` or `iters`, one of them", code="E-input-required"
        )
    for name, least in (("iters", 1), ("seeds", 1), ("pictures", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise InvalidInputError(f"`{name}` {value}: expected {least} or more", code="E-input-range")
    if options.minutes is not None and not 0 < options.minutes < float("inf"):
        raise InvalidInputError(f"`minutes` {options.minutes}: expected more than 0", code="E-input-range")
    return Budget(options.minutes, options.iters)


def _read_model(name: str, given: str, options: ComparisonOptions) -> Model:
    if taken := next((o for o in options.cfg_options if o.partition("=")[0] in _SET_HERE), None):
        raise InvalidConfigError(
            f"`cfg_options` {taken}: the budget sets the length of the training; leave it out", code="E-config-conflict"
        )
    cfg = load_config(given, options.cfg_options, data=options.data, plugins=options.plugins)
    scale_schedule(cfg, 1)  # raises an error for a training by epochs
    settings = {key: value for key, value in plain(cfg.to_dict()).items() if key not in _NOT_OF_THE_MODEL}
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()
    return Model(name, given, cfg, digest, _fingerprint(cfg), options.out_dir / name)


def _fingerprint(cfg: Config) -> dict[str, Any]:
    """Return the fingerprint of the training and test files of a config."""
    init_default_scope(cfg.get("default_scope", "mmseg"))
    built = {}
    for split in ("train", "test"):
        loader = cfg.get(f"{split}_dataloader")
        if loader is None:
            raise InvalidConfigError(
                f"{cfg.filename} has no {split}_dataloader; a comparison trains and tests", code="E-config-missing-key"
            )
        built[split] = SimpleNamespace(datasets=build_without_pipelines(loader.dataset))
    return data_fingerprint(built)


def _describe(data: Mapping[str, Any]) -> str:
    return " and ".join(f"{count} {split} images" for split, count in data["images"].items())
