"""Divide a data set into splits by group, so that similar neighbouring images stay in the same split."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semseg.datasets.class_counts import DatasetFileLoader, count_train_ids
from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.dataset_keys import SPLITS
from semseg.datasets.dataset_writing import write_division
from semseg.datasets.groups.propose import Grouping, propose
from semseg.datasets.groups.rules import AUTO, apply_rule, group_rule
from semseg.datasets.pairs import Pair, find_pairs
from semseg.errors import InvalidDataError, InvalidInputError
from semseg.system.folders import absolute_path
from semseg.system.machine import num_cpus

_EQUAL_SIZES = 0.01  # of the images: sizes of splits that are as close to the fractions
_NUM_ORDERS = 100  # random orders of the groups to try; more do not come closer to the fractions


@dataclass(frozen=True)
class Division:
    """A new division of a data set, not yet written.

    Attributes:
        source: the dataset.yaml that was divided.
        members: split -> group -> its pairs.
        fractions: split -> requested share of the images.
        num_without_mask: images that are in no split because they have no mask.
        grouping: the proposed groups, and their evidence; None: the user gave a rule.
    """

    source: Path
    members: Mapping[str, Mapping[str, tuple[Pair, ...]]]
    fractions: Mapping[str, float]
    num_without_mask: int
    grouping: Grouping | None = None

    def write(self, out_dir: Path | None = None) -> Path:
        """Write the lists of pairs, then dataset.yaml.

        Args:
            out_dir: folder to write to; None replaces the source. Replaced files are kept as `<name>.bak`.

        Returns:
            The path of the new dataset.yaml.
        """
        path = self.source if out_dir is None else out_dir / "dataset.yaml"
        pairs = {
            split: [pair for members in groups.values() for pair in members] for split, groups in self.members.items()
        }
        write_division(self.source, pairs, path)
        return path

    def table(self) -> list[str]:
        """Return lines of text with the groups, images, share and requested share of each split."""
        num_images = {split: sum(len(pairs) for pairs in groups.values()) for split, groups in self.members.items()}
        lines = [f"{'split':<8}{'groups':>8}{'images':>8}{'share':>10}{'asked':>10}"]
        for split, groups in self.members.items():
            share = num_images[split] / sum(num_images.values())
            counted = f"{split:<8}{len(groups):>8}{num_images[split]:>8}"
            lines.append(f"{counted}{share:>10.1%}{self.fractions[split]:>10.1%}")
        if self.num_without_mask:
            lines.append(f"left out: {self.num_without_mask} images without a mask")
        return lines

    def warnings(self) -> list[str]:
        """Return a sentence for each split that has one group only, and one if the groups are a guess."""
        sentences = []
        if self.grouping is not None and not self.grouping.is_sure:
            sentences.append("these groups are a guess: look at the lists, or give `group_by` a rule of your own")
        single = [split for split, groups in self.members.items() if len(groups) == 1]
        if single:
            named = ", ".join(f"{split} ({next(iter(self.members[split]))})" for split in single)
            sentences.append(f"only one group in {named}: such a split shows one drive, sequence or place only")
        return sentences


def divide(source: Path, fractions: Mapping[str, float], group_by: str, seed: int = 0) -> Division:
    """Divide all pairs of a data set, ignoring its current splits; nothing is written.

    Args:
        source: a dataset.yaml, or the folder that holds one.
        fractions: split -> share of the images.
        group_by: `folder`, `prefix`, or `regex:PATTERN`, see `groups.rules`; or `auto`, see `groups.propose`.
        seed: of the random orders; another seed gives another division.

    Raises:
        FileNotFoundError: no dataset.yaml, or files that it names are missing.
        ValueError: there are fewer groups than splits, an image is listed twice, or `group_by` is not a rule.
    """
    if group_by != AUTO:
        group_rule(group_by)  # raises before files are read
    dataset_file = read_dataset_file(source)
    path = dataset_file.path
    pairs, num_without_mask = _list_pairs(dataset_file)
    if group_by == AUTO:
        grouping = propose([absolute_path(pair.image_path) for pair in pairs])
        names: Sequence[str] = grouping.groups
    else:
        grouping, names = None, apply_rule(group_by, [pair.image_path for pair in pairs], dataset_file.root)
    groups: dict[str, list[Pair]] = {}
    for pair, group in zip(pairs, names, strict=True):
        groups.setdefault(group, []).append(pair)
    if len(groups) < len(fractions):
        only = ", ".join(repr(group) for group in sorted(groups))
        others = [other for other in ("folder", "prefix") if other != group_by]
        raise InvalidDataError(
            f"`group_by` {group_by} finds {len(groups)} group{'s' * (len(groups) != 1)} ({only}) for "
            f"{len(fractions)} splits; ask for fewer splits, or give `group_by` {', '.join(others)} "
            "or regex:PATTERN",
            code="E-data-groups",
        )
    sizes = {group: len(members) for group, members in groups.items()}
    split_of = assign(sizes, fractions, seed, _count_pixels(dataset_file, groups))
    members = {
        split: {group: tuple(groups[group]) for group in sorted(groups) if split_of[group] == split}
        for split in fractions
    }
    return Division(path, members, fractions, num_without_mask, grouping)


def parse_fractions(pairs: Iterable[str]) -> dict[str, float]:
    """Read `split=share` pairs.

    Returns:
        Shares in the order train, val, test; their sum is 1.

    Raises:
        ValueError: a pair is wrong, or the sum is not 1.
    """
    fractions: dict[str, float] = {}
    for pair in pairs:
        split, _, share = pair.partition("=")
        if split not in SPLITS or split in fractions or not re.fullmatch(r"0?\.\d*[1-9]\d*|1(\.0*)?", share):
            raise InvalidInputError(
                f"`fractions`: expected for example train=0.7 val=0.15 test=0.15, got {pair!r}", code="E-input-value"
            )
        fractions[split] = float(share)
    if abs(sum(fractions.values()) - 1) > 1e-6:
        raise InvalidInputError(f"`fractions` sum up to {sum(fractions.values()):g}; expected 1", code="E-input-value")
    return {split: fractions[split] for split in SPLITS if split in fractions}


def assign(
    sizes: Mapping[str, int],
    fractions: Mapping[str, float],
    seed: int = 0,
    pixels: Mapping[str, np.ndarray] | None = None,
) -> dict[str, str]:
    """Assign groups to splits.

    In a random order, each group goes to the split that misses the most images. Of many orders, the one whose sizes
    come closest to the fractions is used; of those that are as close, within 1 % of the images, the one whose splits
    have the most similar shares of the classes. Every split gets at least one group.

    Args:
        sizes: group -> number of images; at least as many groups as splits.
        fractions: split -> share.
        seed: of the orders.
        pixels: group -> pixels of each class, shape (num_classes,); None: only the sizes count.

    Returns:
        Group -> split.
    """
    generator = random.Random(seed)
    total = sum(sizes.values())
    orders: list[tuple[float, dict[str, str]]] = []
    for _ in range(_NUM_ORDERS):
        order = sorted(sizes)
        generator.shuffle(order)
        num_missing = {split: share * total for split, share in fractions.items()}
        split_of: dict[str, str] = {}
        for position, group in enumerate(order):
            empty = [split for split in fractions if split not in split_of.values()]
            open_splits = empty if len(order) - position <= len(empty) else fractions
            split = max(open_splits, key=num_missing.__getitem__)
            split_of[group] = split
            num_missing[split] -= sizes[group]
        orders.append((sum(abs(rest) for rest in num_missing.values()), split_of))
    least = min(difference for difference, _ in orders)
    slack = 1e-9 if pixels is None else _EQUAL_SIZES * total
    close = [split_of for difference, split_of in orders if difference <= least + slack]
    return close[0] if pixels is None else min(close, key=lambda split_of: _class_difference(split_of, pixels))


def _class_difference(split_of: Mapping[str, str], pixels: Mapping[str, np.ndarray]) -> float:
    """Return how much the class shares of the splits differ from those of the whole set: 0, or up to 2 per split."""
    shares = []
    for split in set(split_of.values()):
        counts = np.sum([pixels[group] for group in pixels if split_of[group] == split], axis=0)
        shares.append(counts / max(1, counts.sum()))
    whole = np.sum(list(pixels.values()), axis=0)
    return float(np.abs(np.array(shares) - whole / max(1, whole.sum())).sum())


def _count_pixels(dataset_file: DatasetFile, groups: Mapping[str, Sequence[Pair]]) -> dict[str, np.ndarray] | None:
    """Return the pixels of each class by group; None if a mask cannot be read, which the check of the set explains."""
    infos = [
        {
            "img_path": str(pair.image_path),
            "seg_map_path": None if pair.mask_path is None else str(pair.mask_path),
            "roi_path": None if pair.roi_path is None else str(pair.roi_path),
        }
        for pairs in groups.values()
        for pair in pairs
    ]
    try:
        histograms = count_train_ids(DatasetFileLoader(dataset_file.path), infos, num_cpus())
    except (ValueError, OSError):
        return None
    rows = iter(histograms[:, : len(dataset_file.classes)])
    return {group: np.sum([next(rows) for _ in pairs], axis=0) for group, pairs in groups.items()}


def _list_pairs(dataset_file: DatasetFile) -> tuple[list[Pair], int]:
    pairs, num_without_mask = [], 0
    for split in dataset_file.splits:
        pairing = find_pairs(dataset_file, split)
        pairs += pairing.pairs
        num_without_mask += len(pairing.images_without_mask)
        if pairing.images_without_roi:
            raise InvalidDataError(
                f"{len(pairing.images_without_roi)} images of {split} have no region of interest, first"
                f" {pairing.images_without_roi[0]}; draw them, or leave out roi in {dataset_file.path}",
                code="E-data-pairs",
            )
    counts = Counter(pair.image_path.resolve() for pair in pairs)
    twice = [path for path, count in counts.items() if count > 1]
    if twice:
        raise InvalidDataError(
            f"{dataset_file.path} lists {len(twice)} images more than once, first {twice[0]}; list each once",
            code="E-data-duplicate",
        )
    return pairs, num_without_mask
