"""Suspects of a set, ranked, from the predictions of a real model."""

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from semseg import Segmenter
from semseg.analysis.suspects.crops import crop_window, find_mask
from semseg.analysis.suspects.find import KINDS, find_suspects
from semseg.analysis.suspects.held_out import Judge, share_pictures
from semseg.analysis.suspects.tables import class_rows, suspect_rows
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.pairs import find_pairs
from tests.conftest import raises

MIN_AREA_PX = 30


@pytest.fixture(scope="module")
def segment(labelled_set):
    return Segmenter(labelled_set / "best.pth", device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def spoiled_set(labelled_set, segment, tmp_path_factory):
    """A set whose labels are what the model predicts, except for the most certain region of one picture: dataset.yaml,
    the pairs, and box, area and true class of that region."""
    root = tmp_path_factory.mktemp("spoiled")
    truth = None
    lines = []
    for path in sorted((labelled_set / "photos/val").iterdir()):
        result = segment(path)
        train_ids = result.train_ids.copy()
        if truth is None:
            regions = []
            for train_id in np.unique(train_ids):
                _, numbers, stats, _ = cv2.connectedComponentsWithStats((train_ids == train_id).view(np.uint8))
                regions += [
                    (result.confidence[numbers == i].mean(), int(train_id), numbers == i, stats[i, :4].tolist())
                    for i in range(1, len(stats))
                    if stats[i, 4] >= 4 * MIN_AREA_PX
                ]
            _, true, mask, box = max(regions, key=lambda region: region[0])
            absent = next(k for k in range(19) if k not in train_ids)
            train_ids[mask] = absent
            truth = tuple(box), int(mask.sum()), true, absent
        Image.fromarray(train_ids).save(root / path.name)
        lines.append(f"{path},{path.name}")
    (root / "pairs.csv").write_text("\n".join(lines) + "\n")
    content = {"splits": {"val": {"pairs": "pairs.csv"}}, "encoding": "ids", "classes": "cityscapes"}
    (root / "dataset.yaml").write_text(yaml.safe_dump(content))
    return root / "dataset.yaml", truth


def find(dataset_path, segment, max_suspects=100):
    rules = read_dataset_file(dataset_path)
    judges = [Judge("best.pth", None)]
    shares, _ = share_pictures(judges, find_pairs(rules, "val").pairs)
    return find_suspects(judges, shares, rules, lambda path: segment.predictor, MIN_AREA_PX, max_suspects), rules


def test_the_region_with_the_wrong_class_comes_first(spoiled_set, segment):
    findings, _ = find(spoiled_set[0], segment)
    box, area_px, true, given = spoiled_set[1]
    first = findings.suspects[0]
    assert (first.box, first.area_px, first.kind) == (box, area_px, "class")
    assert (first.given, first.suggested) == (given, true)
    assert first.given_probability == pytest.approx(np.exp(-first.score))
    assert first.suggested_probability > first.given_probability
    assert len(findings.suspects) == findings.num_contradicted.sum() == 1
    assert findings.num_regions[given] == 1


def test_the_worst_are_kept_in_order(labelled_set, segment):
    findings, _ = find(labelled_set / "dataset.yaml", segment)
    scores = [suspect.score for suspect in findings.suspects]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) > 3
    few, _ = find(labelled_set / "dataset.yaml", segment, max_suspects=3)
    assert few.suspects == findings.suspects[:3]
    assert few.num_parts.tolist() == findings.num_parts.tolist()


def test_no_part_of_a_listed_region_is_listed(labelled_set, segment):
    findings, _ = find(labelled_set / "dataset.yaml", segment)
    whole = {(suspect.pair, suspect.given) for suspect in findings.suspects if suspect.kind == "class"}
    parts = {(suspect.pair, suspect.given) for suspect in findings.suspects if suspect.kind != "class"}
    assert whole | parts
    assert not whole & parts  # each class has one region in these labels


def test_rows_name_the_classes(spoiled_set, segment):
    findings, rules = find(spoiled_set[0], segment)
    (left, top, width, height), area_px, true, given = spoiled_set[1]
    (row,) = suspect_rows(findings.suspects, rules.classes)
    assert (row["rank"], row["given"], row["suggested"]) == (1, rules.classes[given], rules.classes[true])
    assert [row[key] for key in ("left", "top", "width", "height", "area_px")] == [left, top, width, height, area_px]
    assert row["kind"] in KINDS
    summary = {row["class"]: row for row in class_rows(findings, rules.classes)}[rules.classes[given]]
    assert summary["regions"] == summary["contradicted"] == summary["listed"] == 1
    assert summary["most_often_suggested"] == rules.classes[true]


def test_the_mask_of_a_suspect_is_found_again(spoiled_set, segment):
    findings, _ = find(spoiled_set[0], segment)
    suspect = findings.suspects[0]
    target = np.asarray(Image.open(suspect.pair.mask_path))
    mask = find_mask(suspect, target, segment(suspect.pair.image_path).train_ids)
    np.testing.assert_array_equal(mask, target == suspect.given)


def test_crops_show_what_is_around_and_stay_in_the_picture():
    rows, columns = crop_window((10, 0, 20, 10), (100, 200))
    assert (rows.start, rows.stop, columns.start, columns.stop) == (0, 18, 2, 38)


def test_masks_of_another_size_and_other_classes_are_refused(labelled_set, segment, tmp_path):
    photograph = labelled_set / "photos/val/2.png"
    Image.fromarray(np.zeros((10, 12), np.uint8)).save(tmp_path / "small.png")
    (tmp_path / "pairs.csv").write_text(f"{photograph},small.png\n")
    text = "splits: {val: {pairs: pairs.csv}}\nencoding: ids\nclasses: "
    (tmp_path / "dataset.yaml").write_text(text + "cityscapes\n")
    with raises("E-data-size", "small.png is 12x10, its image"):
        find(tmp_path / "dataset.yaml", segment)
    (tmp_path / "dataset.yaml").write_text(text + "[road, sky]\n")
    with raises("E-checkpoint-classes", "only the first has sidewalk"):
        find(tmp_path / "dataset.yaml", segment)
