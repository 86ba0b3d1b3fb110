"""`browse` and `stats` of tools/dataset.py."""

import csv

import numpy as np
import pytest
from PIL import Image

from tests.conftest import CONFIG, run

pytestmark = pytest.mark.slow
YAML = "data/rosario_labelled/dataset.yaml"  # in the town


def test_browse_paints_what_the_network_receives(town):
    done = run(town, "dataset.py", "browse", CONFIG, "--out", "look", "--num", 4)
    said = "look/contact_sheet_train.jpg: 4 of 8 samples as the network receives them\n"
    assert (done.stdout, done.stderr) == (said, "")
    first = np.asarray(Image.open(town / "look/contact_sheet_train.jpg"))
    assert first.shape[1] == 1600
    run(town, "dataset.py", "browse", CONFIG, "--out", "look2", "--num", 4, "--seed", 1)
    assert (first != np.asarray(Image.open(town / "look2/contact_sheet_train.jpg"))[: len(first)]).any()


def test_browse_paints_the_pairs_of_a_dataset_file(town):
    done = run(town, "dataset.py", "browse", YAML, "--split", "test", "--out", "look")
    assert done.stdout == "look/contact_sheet_test.jpg: 2 of 2 pairs\n"
    assert Image.open(town / "look/contact_sheet_test.jpg").width == 1600


def test_stats_count_the_masks_and_draw_a_chart(town):
    done = run(town, "dataset.py", "stats", CONFIG, "--out", "look")
    lines = done.stdout.splitlines()
    assert lines[0] == f"{CONFIG.name}, train: 8 images"
    assert lines[-1] == "wrote look/class_statistics_train.csv, look/class_shares_train.png"
    with (town / "look/class_statistics_train.csv").open() as file:
        rows = {row["class"]: row for row in csv.DictReader(file)}
    masks = [np.asarray(Image.open(p)) for p in (town / "data/toycity/gtFine/train").rglob("*labelTrainIds.png")]
    assert int(rows["road"]["pixels"]) == sum((mask == 0).sum() for mask in masks)
    assert int(rows["ignored"]["pixels"]) == sum((mask == 255).sum() for mask in masks)
    assert int(rows["rider"]["images"]) == sum((mask == 12).any() for mask in masks)
    assert Image.open(town / "look/class_shares_train.png").width > 1000


def test_stats_of_a_dataset_file_write_nothing_unless_told(town):
    before = set(town.rglob("*"))
    done = run(town, "dataset.py", "stats", YAML, "--split", "test", "--nproc", 1)
    assert done.stdout.startswith("dataset.yaml, test: 2 images\nclass ")
    assert set(town.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["browse", YAML, "--out", "no_sheet", "--num", 0], "--num is 1 or more, got 0"),
        (["browse", YAML, "--out", "no_sheet", "--seed", -1], "--seed is 0 or more, got -1"),
        (
            ["browse", YAML, "--out", "no_sheet", "--data", "y"],
            f"--data belongs to a config (.py), not to {YAML}; leave",
        ),
        (
            ["stats", YAML, "--cfg-options", "a=1"],
            f"--cfg-options belongs to a config (.py), not to {YAML}; leave",
        ),
        (["stats", YAML, "--nproc", 0], "--nproc is 1 or more, got 0"),
        (["stats", YAML], "has no split 'train', only test"),
        (["stats", "none.yaml"], "no dataset file none.yaml"),
        (["browse", "none.py", "--out", "no_sheet"], "no config file none.py"),
    ],
)
def test_wrong_use_is_one_sentence_and_status_2(town, arguments, message):
    done = run(town, "dataset.py", *arguments, code=2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (town / "no_sheet").exists()
