"""Which model judges which picture: always one that has not seen it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from semseg.analysis.cross_validation import read_folds
from semseg.config.from_checkpoint import existing_checkpoint
from semseg.config.tree import inner_datasets
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.pairs import Pair, find_pairs
from semseg.errors import InvalidInputError, MissingInputError
from semseg.system.path_lists import read_path_list, resolve_listed_path

LIST_NAME = "held_out.txt"
"""The list of the pictures that the training of a fold has not used, beside its checkpoint."""
_CHECKPOINT_NAME = "best.pth"


class Judge(NamedTuple):
    """A model, and the pictures that it has not seen.

    Attributes:
        checkpoint: path of the file.
        held_out: absolute paths of pictures; None: all pictures that are judged.
    """

    checkpoint: Path
    held_out: frozenset[Path] | None


def read_judges(words: Sequence[str], root: Path) -> list[Judge]:
    """Read which models judge which pictures.

    Args:
        words: each is one of

            * a checkpoint, which has seen none of the pictures;
            * `CHECKPOINT=LIST`: the list has one picture per line that the model has not seen, relative to the folder
              of the list or to `root`; of a line `image,mask`, the first part counts;
            * the work folder of `train --folds`;
            * a folder with sub-folders `fold_*`, each with a best.pth and a list `held_out.txt`.
        root: folder of the data set.

    Raises:
        FileNotFoundError: a checkpoint, a list, or a picture of a list is missing.
        ValueError: a checkpoint without a list is given beside others.
    """
    judges: list[Judge] = []
    for word in words:
        name, separator, list_name = word.rpartition("=")
        if Path(word).is_dir():
            folders = sorted(path.parent for path in Path(word).glob(f"fold_*/{LIST_NAME}"))
            judges += [_with_list(folder / _CHECKPOINT_NAME, folder / LIST_NAME, root) for folder in folders]
            for fold in [] if folders else read_folds(Path(word)):
                paths = frozenset(pair.image_path.resolve() for pair in fold.held_out)
                judges.append(Judge(existing_checkpoint(fold.checkpoint), paths))
        elif separator and not Path(word).is_file():
            judges.append(_with_list(Path(name), Path(list_name), root))
        else:
            judges.append(Judge(existing_checkpoint(word), None))
    if len(judges) > 1 and any(judge.held_out is None for judge in judges):
        raise InvalidInputError(
            "several checkpoints need a list each, of the pictures that the model has not seen: CHECKPOINT=LIST",
            code="E-input-value",
        )
    return judges


def _with_list(checkpoint: Path, list_path: Path, root: Path) -> Judge:
    rows = [row for row in read_path_list(list_path) if row != (1, "image,mask")]  # the head of a list of pairs
    paths = []
    for number, line in rows:
        name = line.partition(",")[0].strip()
        folder = next((one for one in (list_path.parent, root) if resolve_listed_path(name, one).is_file()), None)
        if folder is None:
            raise MissingInputError(
                f"{list_path} line {number}: no image {name}, neither in {list_path.parent} nor in {root}",
                code="E-input-list",
            )
        paths.append(resolve_listed_path(name, folder).resolve())
    if not paths:
        raise InvalidInputError(f"{list_path} names no picture; expected one per line", code="E-input-list")
    return Judge(existing_checkpoint(checkpoint), frozenset(paths))


def share_pictures(judges: Sequence[Judge], pairs: Sequence[Pair]) -> tuple[list[list[Pair]], int]:
    """Share the pictures among the models.

    Args:
        judges: from `read_judges`.
        pairs: the pictures and their masks.

    Returns:
        The pairs of each model, in their order; how many pairs no model can judge. A picture in several lists is judged
        by the first.

    Raises:
        ValueError: no picture can be judged.
    """
    shares: list[list[Pair]] = [[] for _ in judges]
    num_left = 0
    for pair in pairs:
        path = pair.image_path.resolve()
        place = next((i for i, judge in enumerate(judges) if judge.held_out is None or path in judge.held_out), None)
        if place is None:
            num_left += 1
        else:
            shares[place].append(pair)
    if num_left == len(pairs):
        raise InvalidInputError(
            f"none of the {num_left} pictures, such as {pairs[0].image_path}, is in a list; the lists name pictures"
            " of another set or split",
            code="E-input-none-left",
        )
    return shares, num_left


def seen_in_training(description: Mapping[str, Any], pairs: Sequence[Pair]) -> list[Path]:
    """Return the pictures that were in the training set of a model, as far as its checkpoint tells.

    The description names a dataset.yaml and a split, or the folder of the photographs. If these are not on this
    machine, or if the checkpoint has no description, nothing is known, and the list is empty.

    Args:
        description: of the checkpoint, see `semseg.checkpoints.description`.
        pairs: the pictures that the model is to judge.
    """
    loader = (description.get("config") or {}).get("train_dataloader")
    if not isinstance(loader, Mapping) or not loader.get("dataset"):
        return []
    trained: set[Path] = set()
    folders: list[Path] = []
    for dataset in inner_datasets(loader["dataset"]):
        if dataset.get("type") == "FolderSegDataset":
            with contextlib.suppress(ValueError, OSError):
                trained |= _pictures_of(dataset)
        elif not dataset.get("ann_file"):  # which would name a part of the folder
            prefix = (dataset.get("data_prefix") or {}).get("img_path")
            if prefix:
                folders.append(Path(dataset.get("data_root") or "", prefix).resolve())
    return [
        pair.image_path
        for pair in pairs
        if (path := pair.image_path.resolve()) in trained or any(folder in path.parents for folder in folders)
    ]


def _pictures_of(dataset: Mapping[str, Any]) -> set[Path]:
    rules = read_dataset_file(dataset["dataset_file"])
    if dataset.get("data_root"):
        rules = dataclasses.replace(rules, root=Path(dataset["data_root"]))
    paths = [pair.image_path.resolve() for pair in find_pairs(rules, dataset["split"]).pairs]
    indices = dataset.get("indices")
    if isinstance(indices, int):
        return set(paths[:indices])
    return set(paths if indices is None else [paths[index] for index in indices])
