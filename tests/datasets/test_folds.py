import numpy as np
import pytest
import yaml
from PIL import Image

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.folds import divide_into_folds, group_pictures, write_fold
from semseg.datasets.pairs import find_pairs
from semseg.errors import InvalidDataError, InvalidInputError


def write_set(folder, names):
    for kind in ("images", "masks"):
        for name in names:
            path = folder / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
    content = {
        "encoding": "ids",
        "splits": {"train": {"images": "images", "masks": "masks"}},
        "classes": [{"name": "ground", "color": [0, 0, 0]}],
        "label_map": {7: "ignore"},
        "image_suffix": ".png",
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content))
    return folder / "dataset.yaml"


def test_folds_hold_every_picture_once_and_divide_no_group(tmp_path):
    rules = read_dataset_file(write_set(tmp_path, [f"street{i % 7}_{i:04d}" for i in range(40)]))
    rule, folds = divide_into_folds(rules, 5)
    assert rule.startswith("file names up to the last number: 7 groups of 5 to 6 images")
    names = [pair.image_path.stem for fold in folds for pair in fold]
    assert sorted(names) == sorted(pair.image_path.stem for pair in find_pairs(rules, "train").pairs)
    streets = [{pair.image_path.stem.split("_")[0] for pair in fold} for fold in folds]
    assert sum(map(len, streets)) == 7
    assert divide_into_folds(rules, 5) == (rule, folds)


def test_pictures_without_enough_groups_are_groups_of_their_own(tmp_path):
    rules = read_dataset_file(write_set(tmp_path, [f"{i:02d}" for i in range(10)]))
    rule, folds = divide_into_folds(rules, 5)
    assert rule == "picture"
    assert [len(fold) for fold in folds] == [2] * 5


def test_a_given_rule_is_followed_and_must_match(tmp_path):
    rules = read_dataset_file(write_set(tmp_path, ["a_1", "a_2", "b_1", "c_1"]))
    pairs = find_pairs(rules, "train").pairs
    assert group_pictures(rules, pairs, r"regex:([a-z])_")[1] == ["a", "a", "b", "c"]
    with pytest.raises(InvalidDataError, match="does not match 2 of 4"):
        group_pictures(rules, pairs, "regex:a_")
    with pytest.raises(InvalidDataError, match=r"form 3 groups \(prefix\); ask for fewer folds"):
        divide_into_folds(rules, 4, group_by="prefix")


def test_known_groups_are_not_divided_to_make_more_folds(tmp_path):
    rules = read_dataset_file(write_set(tmp_path, [f"drive{i % 3}_{i:04d}" for i in range(30)]))
    with pytest.raises(InvalidDataError, match=r"form 3 groups \(file names.*\); ask for fewer folds"):
        divide_into_folds(rules, 5)
    assert divide_into_folds(rules, 5, group_by="picture")[0] == "picture"


def test_a_fold_trains_on_the_others_and_keeps_the_rules_of_the_set(tmp_path):
    source = write_set(tmp_path / "set", [f"{i:02d}" for i in range(10)])
    path, _ = write_fold(source, 2, 5, tmp_path / "run/fold_2")
    fold = read_dataset_file(path)
    assert fold.label_map == {7: 255}
    train, val = (find_pairs(fold, split).pairs for split in ("train", "val"))
    assert (len(train), len(val)) == (8, 2)
    assert not {pair.image_path for pair in train} & {pair.image_path for pair in val}
    write_fold(source, 2, 5, tmp_path / "run/fold_2")
    assert not list((tmp_path / "run/fold_2").glob("*.bak"))


@pytest.mark.parametrize("fold, num_folds", [(0, 5), (6, 5), (1, 1)])
def test_folds_out_of_range_are_refused(tmp_path, fold, num_folds):
    source = write_set(tmp_path / "set", [f"{i:02d}" for i in range(10)])
    with pytest.raises(InvalidInputError):
        write_fold(source, fold, num_folds, tmp_path / "run")
