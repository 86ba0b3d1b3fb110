"""No input makes a reader fail in any other way than with an error of this project: what bench/fuzz.py has found."""

import json

import pytest
import torch
import yaml

from bench import fuzz
from semseg.config import load_config
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.importers import coco, labelme
from tests.conftest import raises, run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "cases"), [("data-sets", 400), ("pictures", 100), ("checkpoints", 50), ("annotations", 400)]
)
def test_changed_inputs_give_a_result_or_a_sentence(kind, cases):
    with fuzz.quiet_folder():
        outcomes, found = fuzz.fuzz(kind, seed=1, first=0, cases=cases)
    assert found == []
    assert sum(outcomes.values()) == cases


SPLITS = {"train": {"images": "a", "masks": "b"}}


def test_a_dataset_file_that_holds_itself_is_refused(tmp_path):
    (tmp_path / "dataset.yaml").write_text("splits: &a {train: *a}\nencoding: ids\nclasses: [a, b]\n")
    with raises("E-data-yaml", "nested too deeply, or hold themselves"):
        read_dataset_file(tmp_path)


def test_a_number_that_is_no_float_is_refused(tmp_path):
    content = dict(splits=SPLITS, encoding="ids", classes=["a", "b"], bands=[1, 2, 3], range=[0, 100], nodata=10**400)
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(content))
    with raises("E-data-bands", "nodata"):
        read_dataset_file(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": ["a"]}, r"image 1: width \['a'\] and height 40 are no numbers of pixels"),
        ({"height": "x"}, "width 56 and height 'x' are no numbers of pixels"),
    ],
)
def test_a_size_that_is_no_number_is_refused(tmp_path, changes, message):
    image = {"id": 1, "file_name": "1.png", "width": 56, "height": 40, **changes}
    (tmp_path / "a.json").write_text(json.dumps({"images": [image], "annotations": [], "categories": []}))
    with raises("E-data-annotation", message):
        coco.parse(tmp_path / "a.json")


@pytest.mark.parametrize("key", ["image_id", "category_id"])
def test_ids_that_are_lists_are_refused(tmp_path, key):
    annotation = {"image_id": 1, "category_id": 1, "segmentation": [], key: [1]}
    content = {"images": [{"id": 1, "file_name": "1.png"}], "categories": [{"id": 1, "name": "a"}]}
    (tmp_path / "a.json").write_text(json.dumps({**content, "annotations": [annotation]}))
    with raises("E-data-annotation", r"\[1\], which is not in"):
        coco.parse(tmp_path / "a.json")


def test_a_kind_of_shape_that_is_a_list_is_left_out(tmp_path):
    shape = {"label": "a", "shape_type": [[]], "points": []}
    (tmp_path / "a.json").write_text(json.dumps({"imagePath": "1.png", "shapes": [shape]}))
    assert labelme.parse(tmp_path / "a.json").left_out == (("[[]]", 1),)


def test_a_description_with_a_value_of_another_type_is_refused(tmp_path):
    meta = json.loads(fuzz.described())
    meta["semseg"]["config"]["model"]["test_cfg"] = 3
    torch.save({"state_dict": {"a": torch.zeros(1)}, "meta": meta}, tmp_path / "best.pth")
    with raises("E-checkpoint-description", "its description does not make a config .*: name the config too"):
        load_config(tmp_path / "best.pth")


def test_a_file_that_is_nested_too_deeply_is_one_sentence(tmp_path):
    (tmp_path / "a.json").write_text("[" * 100_000)
    done = run(tmp_path, "dataset.py", "import", "coco", "a.json", "--out", "x", code=2)
    assert done.stderr == "error: a file is nested too deeply to be read; --debug shows which reader\n"
