"""Scores of a folder of masks against another one."""

import re

import numpy as np
import pytest
import yaml
from PIL import Image

from semseg.cli import evaluate
from semseg.evaluation.mask_folder_tables import per_image_means
from semseg.evaluation.mask_folders import evaluate_folders
from semseg.evaluation.options import FoldersOptions
from semseg.evaluation.results import read_results, summarize
from tests.conftest import raises

TARGET = np.array([[[0, 0, 1, 1]], [[0, 0, 0, 1]]], np.uint8)  # two pictures
PREDICTED = np.array([[[0, 1, 1, 0]], [[0, 0, 1, 1]]], np.uint8)
VIEW = np.array([[[0, 1, 1, 1]], [[1, 1, 0, 1]]], np.uint8)
PALETTE = [4, 2, 4, 252, 254, 252]


def write(folder, pictures, end=".png", palette=None):
    folder.mkdir(exist_ok=True)
    for number, values in enumerate(pictures, 1):
        image = Image.fromarray(values)
        if palette:
            image.putpalette(palette)
        image.save(folder / f"{number:02}{end}")
    return folder


@pytest.fixture
def folders(tmp_path):
    return write(tmp_path / "predictions", PREDICTED), write(tmp_path / "targets", TARGET)


def scores_of(found):
    return {row["class"]: row for row in summarize(found.evaluation, {})["per_class"]}


def test_pooled_scores_and_means_over_images_are_told_apart(folders):
    found = evaluate_folders(*folders, FoldersOptions())
    # class 1: pooled 2 right, 2 too many or few each; per image F1 1/2 and 2/3
    rows = scores_of(found)
    assert rows["class 1"]["F1"] == pytest.approx(100 * 4 / 7)
    means = per_image_means(found)
    assert means["F1/class 1"]["value"] == pytest.approx(100 * (1 / 2 + 2 / 3) / 2)
    assert means["aAcc"]["value"] == pytest.approx(100 * (2 / 4 + 3 / 4) / 2)


@pytest.mark.parametrize("predicted_palette", [None, PALETTE])
def test_masks_of_two_values_are_background_and_object(tmp_path, predicted_palette):
    predicted = PREDICTED if predicted_palette else 255 * PREDICTED
    folders = (
        write(tmp_path / "p", predicted, "_manual2.gif", predicted_palette),
        write(tmp_path / "t", 255 * TARGET, "_manual1.gif"),
    )
    view = write(tmp_path / "r", 255 * VIEW, "_mask.gif")
    found = evaluate_folders(*folders, FoldersOptions(roi_dir=view))
    assert found.evaluation.classes == ("background", "object")
    assert "two classes, background (0) and object" in found.notes[0]
    assert found.num_outside == 2
    inside = VIEW == 1
    right = (PREDICTED & TARGET)[inside].sum()
    assert scores_of(found)["object"]["F1"] == pytest.approx(
        200 * right / (PREDICTED[inside].sum() + TARGET[inside].sum())
    )


def test_a_side_that_shows_black_as_1_is_refused(tmp_path):
    folders = (
        write(tmp_path / "p", PREDICTED, palette=[255, 255, 255, 0, 0, 0]),
        write(tmp_path / "t", 255 * TARGET),
    )
    with raises("E-data-encoding", "stores 0 for white"):
        evaluate_folders(*folders, FoldersOptions())


def test_a_list_of_classes_names_them_and_refuses_other_values(folders, tmp_path):
    (tmp_path / "classes.txt").write_text("road\nsky\n")
    options = FoldersOptions(classes=tmp_path / "classes.txt")
    assert list(scores_of(evaluate_folders(*folders, options))) == ["road", "sky"]
    write(folders[0], PREDICTED + 6)
    with raises("E-data-mask-values", r"01\.png holds values outside 0\.\.1 and 255: \{6: 2 px, 7: 2 px\}"):
        evaluate_folders(*folders, options)
    write(folders[1], 255 * TARGET)
    with raises("E-data-mask-values", "the targets hold only 0 and 255"):
        evaluate_folders(*folders, options)


def test_a_dataset_file_reads_the_targets_and_train_ids_the_predictions(folders, tmp_path):
    content = {"splits": {"test": {"images": "x", "masks": "x"}}, "encoding": "ids", "classes": ["ground", "vessel"]}
    path = tmp_path / "dataset.yaml"
    path.write_text(yaml.safe_dump(content | {"label_map": {255: "vessel"}}))
    expected = scores_of(evaluate_folders(*folders, FoldersOptions()))["class 1"]["IoU"]
    write(folders[1], 255 * TARGET)
    assert scores_of(evaluate_folders(*folders, FoldersOptions(classes=path)))["vessel"]["IoU"] == expected
    write(folders[0], 255 * PREDICTED)
    with raises("E-data-mask-values", "gives it to vessel; give `like_targets`"):
        evaluate_folders(*folders, FoldersOptions(classes=path))
    same = evaluate_folders(*folders, FoldersOptions(classes=path, like_targets=True))
    assert scores_of(same)["vessel"]["IoU"] == expected
    path.write_text(yaml.safe_dump(content))
    with raises("E-data-mask-values", "the targets hold only 0 and 255"):
        evaluate_folders(*folders, FoldersOptions(classes=path))


def test_ignored_pixels_do_not_count_and_pixels_without_class_are_wrong(folders):
    target, predicted = TARGET.copy(), PREDICTED.copy()
    target[0, 0, 1], predicted[1, 0, 0] = 255, 255
    write(folders[0], predicted)
    write(folders[1], target)
    found = evaluate_folders(*folders, FoldersOptions())
    assert found.evaluation.confusions.total().tolist() == [[2, 1, 1], [1, 2, 0]]
    assert found.num_unassigned == 1


def test_wrong_sizes_kinds_and_options_end_in_a_sentence(folders, tmp_path):
    with raises("E-input-no-effect", "`like_targets` has no effect"):
        evaluate_folders(*folders, FoldersOptions(like_targets=True))
    with raises("E-input-no-effect", "`roi_suffix` has no effect"):
        evaluate_folders(*folders, FoldersOptions(roi_suffix=(".png",)))
    with raises("E-data-empty", "no pixel of 2 targets counts"):
        view = write(tmp_path / "view", 0 * VIEW)
        evaluate_folders(*folders, FoldersOptions(roi_dir=view))
    with raises("E-data-size", r"view/01\.png is 9x9"):
        write(tmp_path / "view", np.ones((2, 9, 9), np.uint8))
        evaluate_folders(*folders, FoldersOptions(roi_dir=tmp_path / "view"))
    Image.new("L", (9, 9)).save(folders[0] / "02.png")
    with raises("E-input-size", r"02\.png: the prediction is 9x9"):
        evaluate_folders(*folders, FoldersOptions())
    Image.new("RGB", (4, 1), (1, 2, 3)).save(folders[0] / "02.png")
    with raises("E-data-encoding", r"02\.png holds colours"):
        evaluate_folders(*folders, FoldersOptions())


def test_the_command_prints_both_kinds_of_scores_and_writes_tables_for_a_report(folders, tmp_path, capsys):
    evaluate.main([*map(str, folders), "--out", str(tmp_path / "out"), "--nproc", "1"])
    shown = capsys.readouterr().out
    pooled, per_image = shown.split("per image: ")
    assert re.search(r"accuracy \(aAcc\) +62\.50", pooled) and re.search(r"class 1 .* 57\.14\n", pooled)
    assert re.search(r"F1 \(Dice\) of class 1 +58\.33", per_image)
    results = read_results(tmp_path / "out")
    assert results.summary["per_image_means"]["F1/class 1"]["num_images"] == 2
    assert np.array_equal(Image.open(tmp_path / "out/target/01.png"), TARGET[0])
    from semseg.analysis.report.page import write_report

    assert write_report(tmp_path / "out").is_file()
