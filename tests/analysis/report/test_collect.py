import json
import os

import numpy as np
import pytest

from semseg.analysis.report import collect
from semseg.evaluation.results import read_results
from tests.analysis.report import folders
from tests.conftest import raises


@pytest.fixture(scope="module")
def results(run_dir):
    return read_results(run_dir / "test/best-toycity")


def test_of_a_work_folder_the_newest_results_count(tmp_path):
    for age, name in enumerate(("new", "old")):
        path = tmp_path / "test" / name / "results.json"
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (1e9 - age, 1e9 - age))
    assert collect.find_results(tmp_path) == tmp_path / "test/new"
    assert collect.find_results(tmp_path / "test/old") == tmp_path / "test/old"


def test_folders_without_results_are_named(tmp_path):
    with raises("E-input-missing", r"results\.json or test/\*/results\.json"):
        collect.find_results(tmp_path)
    with raises("E-input-missing", r"no folder .*missing"):
        collect.find_results(tmp_path / "missing")


def test_runs_with_other_classes_are_not_compared(tmp_path, results):
    other = folders.write_results(tmp_path, num_images=1, classes=[*folders.CLASSES[:7], "tram"])
    with raises("E-input-incomparable", r"8 classes, .* 8, .* train, tram;"):
        collect.read_compared(other, results)


def test_the_training_is_the_one_given_or_the_one_that_the_results_name(tmp_path, run_dir, results, other_dir):
    assert collect.find_work_dir(run_dir, results) == run_dir
    assert collect.find_work_dir(results.folder, results) == run_dir
    assert collect.find_work_dir(other_dir, read_results(other_dir)) is None
    assert collect.read_training(None) == collect.Training({}, {})


def test_a_resumed_training_is_joined_and_the_later_start_wins(run_dir):
    training = collect.read_training(run_dir)
    loss = training.curves["loss"]
    assert loss.iterations.tolist() == list(range(25, 1001, 25))
    assert loss.values[[19, 20]].tolist() == [2.0, 9 - 525 / 500]
    assert list(training.panels) == ["kieselburg_1", "lindmark_2"]
    starts = [path.parent.parent.name for path in training.panels["lindmark_2"].values()]
    assert starts == ["20261122_170000"] * 5 + ["20261122_180000"] * 5


def test_few_panels_and_iterations_are_chosen_evenly(tmp_path):
    folder = tmp_path / "20261122_170000" / "panels"
    folder.mkdir(parents=True)
    for image in "abcdefgh":
        for step in range(1, 41):
            (folder / f"{image}_iter_{step:06d}.jpg").touch()
    (folder / "late_iter_000040.jpg").touch()
    panels = collect.read_training(tmp_path).panels
    assert list(panels) == ["a", "c", "f", "h"]
    assert list(panels["a"])[::15] == [1, 40] and len(panels["a"]) == 16


def test_images_come_worst_first_with_the_confusion_that_costs_most(results):
    images = collect.read_images(results)
    scores = [image.scores["mIoU"] for image in images]
    assert len(images) == 15 and scores == sorted(scores)
    image = images[0]
    assert image.slices == {"folder": image.name.split("/")[0], "weather": image.slices["weather"]}
    assert image.photograph_path.is_file() and image.target_path.is_file() and image.predicted_path.is_file()
    areas = results.confusions.areas()
    row = results.confusions.images.index(image.name)
    truth = areas.truth[row][folders.CLASSES.index(image.worst.truth)]
    assert image.worst.share == pytest.approx(100 * image.worst.pixels / truth)


def test_files_that_are_gone_are_none(tmp_path):
    folder = folders.write_results(tmp_path / "results", num_images=1)
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    (image,) = collect.read_images(read_results(folder))
    assert (image.photograph_path, image.target_path, image.predicted_path) == (None, None, None)


def test_what_was_explained_is_found_by_its_photograph(tmp_path):
    folder = tmp_path / "outputs/explain/photo"
    folder.mkdir(parents=True)
    (folder / "grad_cam.png").touch()
    account = {"image": str(tmp_path / "photo.png"), "files": ["grad_cam.png", "gone.png", "probability/road.png"]}
    (folder / "explain.json").write_text(json.dumps(account))
    assert collect.find_explained(tmp_path / "outputs") == {tmp_path / "photo.png": [folder / "grad_cam.png"]}
    assert collect.find_explained(tmp_path / "missing") == {}


def test_the_largest_confusions_are_by_share_or_by_pixels():
    matrix = np.array([[900, 100, 0, 0], [5, 5, 0, 0], [0, 0, 7, 1]])
    by_share = collect.largest_confusions(matrix, ["road", "wall", "sky"], "share")
    assert by_share == [("wall", "road", 50.0, 5), ("sky", "no class", 12.5, 1), ("road", "wall", 10.0, 100)]
    assert collect.largest_confusions(matrix, ["road", "wall", "sky"], "pixels", 1) == by_share[2:]


def test_another_schema_is_named(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps({"schema": "other/1"}))
    with pytest.raises(ValueError, match=r"expected schema semseg\.results/1, found other/1"):
        read_results(collect.find_results(tmp_path))
