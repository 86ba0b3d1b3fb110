"""Divide a data set into splits by group, so that neighbours never stand in two of them."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from semseg.datasets.dataset_file import SPLITS, DatasetFile, read_dataset_file
from semseg.datasets.dataset_writing import list_name, relative_to_folder, write_pairs, write_text
from semseg.datasets.pairs import Pair, find_pairs
from semseg.errors import InvalidDataError
from semseg.system.path_lists import read_list_text

_NUM_ORDERS = 100  # random orders of the groups that are tried; more come no nearer to the fractions


@dataclass(frozen=True)
class Division:
    """A data set divided anew, not yet written.

    Attributes:
        source: the dataset.yaml that was divided.
        members: split -> group -> its pairs.
        fractions: split -> asked share of the images.
        num_without_mask: images that are in no split, because they have no mask.
    """

    source: Path
    members: Mapping[str, Mapping[str, tuple[Pair, ...]]]
    fractions: Mapping[str, float]
    num_without_mask: int

    def write(self, out_dir: Path | None = None) -> Path:
        """Write the lists of pairs and dataset.yaml, which is written last.

        Args:
            out_dir: where to; None replaces the source. What is replaced is kept as `<name>.bak`.

        Returns:
            The path of the new dataset.yaml.
        """
        path = self.source if out_dir is None else out_dir / "dataset.yaml"
        content = yaml.safe_load(read_list_text(self.source))
        content = {"root": "."} | content
        content |= {"root": ".", "splits": {split: {"pairs": list_name(split)} for split in self.members}}
        for split, groups in self.members.items():
            pairs = sorted(pair for pairs in groups.values() for pair in pairs)
            write_pairs(path.parent / list_name(split), pairs)
        write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None))
        return path

    def table(self) -> list[str]:
        """Write groups, images and shares per split, against the asked ones, as lines of text."""
        num_images = {split: sum(len(pairs) for pairs in groups.values()) for split, groups in self.members.items()}
        lines = [f"{'split':<8}{'groups':>8}{'images':>8}{'share':>10}{'asked':>10}"]
        for split, groups in self.members.items():
            share = num_images[split] / sum(num_images.values())
            counted = f"{split:<8}{len(groups):>8}{num_images[split]:>8}"
            lines.append(f"{counted}{share:>10.1%}{self.fractions[split]:>10.1%}")
        if self.num_without_mask:
            lines.append(f"left out: {self.num_without_mask} images without a mask")
        return lines


def divide(source: Path, fractions: Mapping[str, float], group_by: str, seed: int = 0) -> Division:
    """Divide all pairs of a data set, whatever splits they are in now; nothing is written.

    Args:
        source: a dataset.yaml, or the folder that holds one.
        fractions: split -> share of the images.
        group_by: `folder`, `prefix`, or `regex:PATTERN`; see `group_rule`.
        seed: other seeds divide otherwise.

    Raises:
        FileNotFoundError: no dataset.yaml, or files that it names are missing.
        ValueError: there are fewer groups than splits, an image is listed twice, or a rule has no meaning.
    """
    path = source / "dataset.yaml" if source.is_dir() else source
    rule = group_rule(group_by)
    dataset_file = read_dataset_file(path)
    pairs, num_without_mask = _list_pairs(dataset_file)
    groups: dict[str, list[Pair]] = {}
    unmatched = []
    for pair in pairs:
        name = relative_to_folder(pair.image_path.parent, dataset_file.root) + f"/{pair.image_path.name}"
        group = rule(name.removeprefix("./"))
        if group is None:
            unmatched.append(name)
        else:
            groups.setdefault(group, []).append(pair)
    if unmatched:
        raise InvalidDataError(
            f"--group-by {group_by} does not match {len(unmatched)} of {len(pairs)} images, "
            f"first {unmatched[0]}; give a pattern that matches all"
        )
    if len(groups) < len(fractions):
        only = ", ".join(repr(group) for group in sorted(groups))
        others = [other for other in ("folder", "prefix") if other != group_by]
        raise InvalidDataError(
            f"--group-by {group_by} finds {len(groups)} group{'s' * (len(groups) != 1)} ({only}) for "
            f"{len(fractions)} splits; ask for fewer splits, or give --group-by {', '.join(others)} "
            "or regex:PATTERN"
        )
    sizes = {group: len(members) for group, members in groups.items()}
    split_of = assign(sizes, fractions, seed)
    members = {
        split: {group: tuple(groups[group]) for group in sorted(groups) if split_of[group] == split}
        for split in fractions
    }
    return Division(path, members, fractions, num_without_mask)


def parse_fractions(pairs: Iterable[str]) -> dict[str, float]:
    """Read `split=share` pairs.

    Returns:
        Shares in the order train, val, test; their sum is 1.

    Raises:
        ValueError: one is not such a pair, or the sum is not 1.
    """
    fractions: dict[str, float] = {}
    for pair in pairs:
        split, _, share = pair.partition("=")
        if split not in SPLITS or split in fractions or not re.fullmatch(r"0?\.\d*[1-9]\d*|1(\.0*)?", share):
            raise InvalidDataError(f"--fractions expects such as train=0.7 val=0.15 test=0.15, got {pair!r}")
        fractions[split] = float(share)
    if abs(sum(fractions.values()) - 1) > 1e-6:
        raise InvalidDataError(f"--fractions sum up to {sum(fractions.values()):g}; expected 1")
    return {split: fractions[split] for split in SPLITS if split in fractions}


def group_rule(group_by: str) -> Callable[[str], str | None]:
    """Return the function from an image's path, with slashes, to its group.

    `folder`: its folder. `prefix`: its name up to the last number that stands alone, else without the digits
    at its end: `street3_0007_left.jpg` is of `street3`, `frame0007.jpg` of `frame`. `regex:PATTERN`: what
    the pattern's brackets match anywhere in the path, joined by `/`, or without brackets all that matches.

    Raises:
        ValueError: it is none of these.
    """
    if group_by == "folder":
        return lambda name: name.rpartition("/")[0] or "."
    if group_by == "prefix":
        return _find_prefix
    if not group_by.startswith("regex:"):
        raise InvalidDataError(f"--group-by is folder, prefix, or regex:PATTERN, got {group_by!r}")
    try:
        pattern = re.compile(group_by.removeprefix("regex:"))
    except re.error as error:
        raise InvalidDataError(f"--group-by {group_by}: not a pattern ({error})") from None

    def match(name: str) -> str | None:
        found = pattern.search(name)
        if not found:
            return None
        return "/".join(part or "" for part in found.groups()) if pattern.groups else found[0]

    return match


def assign(sizes: Mapping[str, int], fractions: Mapping[str, float], seed: int = 0) -> dict[str, str]:
    """Assign groups to splits.

    In random order, each group goes to the split that lacks most; of many orders, the one is taken whose
    sizes come nearest to the fractions. Every split gets a group.

    Args:
        sizes: group -> number of images, as many groups as splits or more.
        fractions: split -> share.
        seed: of the orders.

    Returns:
        Group -> split.
    """
    generator = random.Random(seed)
    total = sum(sizes.values())
    best: dict[str, str] = {}
    best_miss = float("inf")
    for _ in range(_NUM_ORDERS):
        order = sorted(sizes)
        generator.shuffle(order)
        lacking = {split: share * total for split, share in fractions.items()}
        split_of: dict[str, str] = {}
        for position, group in enumerate(order):
            empty = [split for split in fractions if split not in split_of.values()]
            open_splits = empty if len(order) - position <= len(empty) else fractions
            split = max(open_splits, key=lacking.__getitem__)
            split_of[group] = split
            lacking[split] -= sizes[group]
        miss = sum(abs(rest) for rest in lacking.values())
        if miss < best_miss - 1e-9:
            best, best_miss = split_of, miss
    return best


def _list_pairs(dataset_file: DatasetFile) -> tuple[list[Pair], int]:
    pairs, num_without_mask = [], 0
    for split in dataset_file.splits:
        pairing = find_pairs(dataset_file, split)
        pairs += pairing.pairs
        num_without_mask += len(pairing.images_without_mask)
    counts = Counter(pair.image_path.resolve() for pair in pairs)
    twice = [path for path, count in counts.items() if count > 1]
    if twice:
        raise InvalidDataError(
            f"{dataset_file.path} lists {len(twice)} images more than once, first {twice[0]}; list each once"
        )
    return pairs, num_without_mask


def _find_prefix(name: str) -> str:
    stem = name.rpartition("/")[2].rpartition(".")[0]
    tokens = re.split(r"([_\-. ]+)", stem)  # names and separators by turns
    numbers = [index for index in range(0, len(tokens), 2) if tokens[index].isdecimal()]
    if numbers and numbers[-1] > 0:
        return "".join(tokens[: numbers[-1] - 1])
    return "" if numbers else stem.rstrip("0123456789")
