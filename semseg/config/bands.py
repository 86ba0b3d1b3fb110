"""Pictures with `bands` in a config: their loader in every pipeline, the first convolution, the normalisation.

A training measures what its dataset.yaml leaves open, and the config of the run records all numbers. A test of its
checkpoint with another dataset.yaml takes them from the checkpoint: nothing is measured on the pictures of a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from semseg.checkpoints.description import description_of
from semseg.config.log import warn
from semseg.config.tree import LOADERS, datasets_of, edited, inner_datasets, type_name, walk
from semseg.datasets.band_statistics import bands_from, mean_and_std, measure_bands
from semseg.datasets.bands import LOADER, Bands
from semseg.datasets.dataset_file import DatasetFile
from semseg.errors import InvalidConfigError

_DISTORTION = "PhotoMetricDistortion"
_COLOUR_STEPS = (  # of MMSegmentation and MMCV, which need RGB of 8 bits
    *("CLAHE", "AdjustGamma", "RGB2Gray", "RandomGrayscale", "Albu", "AutoContrast", "Brightness", "Color", "Contrast"),
    *("ColorTransform", "Equalize", "Invert", "Posterize", "Sharpness", "Solarize", "SolarizeAdd", "RandAugment"),
)


class Input:
    """How a model that reads bands gets its pictures.

    Args:
        bands_of: by the path of each dataset.yaml.
        mean, std: of each channel, 0 to 255.
        lines: what was decided, for the log.

    Attributes:
        bands_of, mean, std, lines: as given.
        num_channels: of the pictures.
    """

    def __init__(
        self, bands_of: Mapping[str, Bands], mean: Sequence[float], std: Sequence[float], lines: Sequence[str]
    ) -> None:
        self.bands_of, self.mean, self.std, self.lines = dict(bands_of), list(mean), list(std), list(lines)
        self.num_channels = len(self.mean)


def choose_input(
    cfg: Config, rules_of: Mapping[str, DatasetFile], checkpoint: Mapping[str, Any] | None
) -> Input | None:
    """Decide how the pictures of dataset.yaml files become channels; None: all hold photographs.

    Args:
        cfg: whose data sets will be replaced.
        rules_of: by path.
        checkpoint: content of the checkpoint that the config is for; None: a training begins.

    Raises:
        FileNotFoundError, ValueError: those of `measure_bands`; or the files do not fit together, or do not fit the
            checkpoint.
    """
    with_bands = {path: rules for path, rules in rules_of.items() if rules.bands is not None}
    known = bands_in_checkpoint(checkpoint or {})
    if checkpoint is not None and not known:  # it does not describe itself: its config does
        known = _bands_by_file(datasets_of(cfg, *LOADERS))
    if not with_bands:
        path = next(iter(rules_of))
        if known or (checkpoint is None and _has_loader(cfg)):
            whose = "the checkpoint was trained on bands" if known else "the config reads bands"
            raise InvalidConfigError(
                f"{whose}, and `data` {path} describes photographs: add `bands` and `range` to it",
                code="E-config-bands",
            )
        return None
    if len(with_bands) < len(rules_of):
        other = next(path for path in rules_of if path not in with_bands)
        raise InvalidConfigError(
            f"`data`: {next(iter(with_bands))} has `bands`, and {other} has none: sets that are used together have the"
            " same number of bands",
            code="E-config-bands",
        )
    numbers = {path: rules.bands.numbers for path, rules in with_bands.items() if rules.bands is not None}
    (first, expected), *others = numbers.items()
    for path, own in others:
        if len(own) != len(expected):
            raise InvalidConfigError(
                f"`data`: {first} has {len(expected)} bands and {path} has {len(own)}: sets that are used together have"
                " the same number of bands",
                code="E-config-bands",
            )
    if checkpoint is None:
        return _measure(with_bands)
    described = bands_in_checkpoint(checkpoint)
    model = description_of(checkpoint)["config"]["model"] if described else cfg.model
    return _recall(with_bands, known, model.get("data_preprocessor") or {})


def _measure(rules_of: Mapping[str, DatasetFile]) -> Input:
    """Measure the training splits."""
    measured = {path: measure_bands(rules) for path, rules in rules_of.items()}
    trained = [measured[path] for path, rules in rules_of.items() if "train" in rules.splits]
    mean, std = mean_and_std(trained or list(measured.values()))
    bands_of, lines = {}, []
    for path, rules in rules_of.items():
        assert rules.bands is not None
        bands = bands_of[path] = bands_from(rules.bands, measured[path].ranges, mean)
        source = f"{measured[path].num_pictures} pictures of split {measured[path].split}"
        how = f", percentiles {list_numbers(rules.bands.percentiles)} of {source}" if rules.bands.percentiles else ""
        lines.append(f"{path}: bands {list_numbers(bands.bands)}; {_format_ranges(bands)} become 0 to 255{how}")
    if not trained:
        lines.append("no set has a split train: bands were measured on the first split of each")
    return Input(bands_of, mean, std, lines)


def _recall(rules_of: Mapping[str, DatasetFile], known: Mapping[str, Bands], preprocessor: Mapping[str, Any]) -> Input:
    """Take the numbers of the training, with its data preprocessor, from its checkpoint."""
    path, rules = next(iter(rules_of.items()))
    assert rules.bands is not None
    if not known:
        raise InvalidConfigError(
            f"`data` {path} has `bands`, and the checkpoint does not say that it was trained on bands: give the"
            " dataset.yaml of its training, or a checkpoint that such a training has written",
            code="E-config-bands",
        )
    mean, std = preprocessor.get("mean") or [], preprocessor.get("std") or []
    (usual, *_), all_ranges = known.values(), {bands.range for bands in known.values()}
    bands_of, lines = {}, []
    for path, rules in rules_of.items():
        assert rules.bands is not None
        if len(rules.bands.numbers) != len(mean):
            raise InvalidConfigError(
                f"`data` {path} has {len(rules.bands.numbers)} bands, and the checkpoint was trained on {len(mean)}",
                code="E-config-bands",
            )
        ranges = rules.bands.ranges
        if ranges is None and path in known:
            ranges = known[path].range
        elif ranges is None and len(all_ranges) > 1:
            raise InvalidConfigError(
                f"{path}: the checkpoint was trained on sets with different ranges: state those of this set as"
                " numbers, instead of percentiles",
                code="E-config-bands",
            )
        elif ranges is None:
            ranges = usual.range
        elif ranges not in all_ranges:
            lines.append(f"{path}: its range differs from that of the training, {_format_ranges(usual)}")
        bands = bands_of[path] = bands_from(rules.bands, ranges, usual.fill)
        lines.append(
            f"{path}: bands {list_numbers(bands.bands)}; {_format_ranges(bands)} become 0 to 255, as in the training"
        )
    return Input(bands_of, mean, std, lines)


def read_bands_in(steps: Any, bands: Bands, exif: str) -> Any:
    """Return a pipeline that loads pictures with `bands`, and changes no colours.

    Raises:
        ValueError: a step works on RGB of 8 bits only.
    """

    def edit(step: Mapping[str, Any]) -> dict[str, Any]:
        kind = type_name(step)
        if kind in ("LoadImageFromFile", "LoadPhotograph", LOADER):
            return bands.step(exif)
        if kind == _DISTORTION:
            kept = {key: step[key] for key in ("brightness_delta", "contrast_range") if key in step}
            return {"type": "BandDistortion", **kept}
        if kind in _COLOUR_STEPS:
            raise InvalidConfigError(
                f"the pipeline has a step {kind}, which works on RGB of 8 bits, and the set has `bands`: leave it out",
                code="E-config-bands",
            )
        return dict(step)

    return edited(steps, edit)


def describe_distortion(cfg: Config) -> list[str]:
    """Return the line about a distortion of colours, which `read_bands_in` replaces."""
    if not any(
        isinstance(part, dict) and type_name(part) == _DISTORTION for _, part in walk(cfg.get("train_dataloader"))
    ):
        return []
    return [
        f"{_DISTORTION} is replaced by BandDistortion, which changes brightness and contrast only, of all bands alike"
    ]


def bands_in_checkpoint(checkpoint: Mapping[str, Any]) -> dict[str, Bands]:
    """Return the `Bands` of the sets that a checkpoint was trained on, by their file; empty if it reads photographs.

    Raises:
        ValueError: the description in the checkpoint is invalid.
    """
    config = description_of(checkpoint).get("config")
    loader = config.get("train_dataloader") or config.get("test_dataloader") if isinstance(config, dict) else None
    if not isinstance(loader, Mapping) or not isinstance(loader.get("dataset"), (dict, list, tuple)):
        return {}
    return _bands_by_file(inner_datasets(loader["dataset"]))


def _bands_by_file(datasets: Sequence[Any]) -> dict[str, Bands]:
    found = {}
    for number, dataset in enumerate(datasets):
        bands = loader_of(dataset) if isinstance(dataset, Mapping) else None
        if bands is not None:
            found[str(dataset.get("dataset_file", number))] = bands
    return found


def check_loaders(cfg: Config, checkpoint: Mapping[str, Any], path: Path) -> None:
    """Check that a config reads bands if its checkpoint was trained on bands, and with the same numbers, or warn.

    Args:
        cfg: of the model that will load the checkpoint.
        checkpoint: its content.
        path: of the checkpoint, for the messages.

    Raises:
        ValueError: one reads bands and the other photographs.
    """
    known = list(bands_in_checkpoint(checkpoint).values())
    if known and not _has_loader(cfg):
        raise InvalidConfigError(
            f"{path} was trained on bands {list_numbers(known[0].bands)}, and the config reads photographs: leave it"
            " out, or give the dataset.yaml of the training as `data`",
            code="E-config-bands",
        )
    used = [Bands.from_step(part) for _, part in walk(cfg.get("test_dataloader") or {}) if _is_loader(part)]
    if known and used and all(bands.range != used[0].range for bands in known):
        warn("%s was trained with %s, and reads %s here", path, _format_ranges(known[0]), _format_ranges(used[0]))


def loader_of(dataset: Mapping[str, Any]) -> Bands | None:
    """Return the `Bands` of the pipeline of a data set in a config; None if it reads photographs."""
    return next((Bands.from_step(step) for step in dataset.get("pipeline") or () if _is_loader(step)), None)


def _has_loader(cfg: Config) -> bool:
    return any(_is_loader(step) for dataset in datasets_of(cfg, *LOADERS) for step in dataset.get("pipeline", ()))


def _is_loader(part: Any) -> bool:
    return isinstance(part, Mapping) and type_name(part) == LOADER


def _format_ranges(bands: Bands) -> str:
    pairs = [f"{low:g}..{high:g}" for low, high in bands.range]
    return f"values {pairs[0]}" if len(set(pairs)) == 1 else f"values {', '.join(pairs)}"


def list_numbers(values: Sequence[float]) -> str:
    """Write numbers with five digits."""
    return ", ".join(f"{value:.5g}" for value in values) or "none"
