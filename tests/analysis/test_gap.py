import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg.analysis.gap import (
    Measured,
    PseudoLabels,
    check_label_names,
    find_photographs,
    measure_photographs,
    predict_again,
)
from semseg.analysis.gap_scores import Measures
from semseg.analysis.gap_tables import make_sides, summarize, write_tables
from semseg.analysis.pseudo_labels import DoubtCounts
from semseg.inference import Outputs
from semseg.inference.sources import SourceImage, find_images
from tests.conftest import raises
from tests.inference.test_predictor import picture, predictor_of


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return predictor_of(tmp_path_factory.mktemp("model"))


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    (folder / "sub").mkdir(parents=True)
    for number, name in enumerate(("one.png", "two.png", "sub/three.jpg")):
        Image.fromarray(picture(64, 96 + 8 * number, number)).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_uncertainty_is_that_of_the_probabilities(predictor):
    image = picture(96, 128)
    (found,) = predictor.predict([image], uncertainty=True)
    assert found.confidence is found.probabilities is None
    scores, _ = predictor.scores(image)
    likely = scores.double().softmax(dim=0).numpy()
    assert np.abs(found.doubt - (1 - likely.max(axis=0))).max() < 1e-3
    entropy = -(likely * np.log(likely)).sum(axis=0) / np.log(len(likely))
    assert np.abs(found.entropy - entropy).max() < 1e-3
    assert found.mass == pytest.approx(likely.sum(axis=(1, 2)), rel=1e-4, abs=1e-2)
    assert found.mass.sum() == pytest.approx(image.shape[0] * image.shape[1], rel=1e-5)


def test_every_photograph_is_measured_and_a_broken_one_is_recorded(predictor, photographs):
    counts, done = DoubtCounts(len(predictor.classes)), []
    found = measure_photographs(predictor, find_photographs(photographs, None).images, counts, done.append)
    assert found == done
    assert {str(one.source.name): one.fault for one in found} == {
        "broken.jpg": "not a readable image",
        "one.png": "",
        "sub/three.jpg": "",
        "two.png": "",
    }
    three = next(one for one in found if one.source.name.name == "three.jpg")
    assert three.size == (64, 112)
    assert counts.counts.sum() == 64 * (96 + 104 + 112)
    image = np.asarray(Image.open(photographs / "one.png"))
    own, mirrored = predictor(image), predictor(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]
    one = next(one for one in found if one.source.name.name == "one.png").measures
    assert one.flip_consistency == pytest.approx((own == mirrored).mean(), abs=1e-3)
    assert one.shares == pytest.approx(np.bincount(own.ravel(), minlength=19) / own.size, abs=1e-3)


def test_what_cannot_be_segmented_is_recorded_too(photographs):
    class Sick:
        exif, bits, bands = "apply", None, None

        def predict(self, images, **wanted):
            raise RuntimeError("out of\nluck")

    found = measure_photographs(Sick(), find_images(photographs / "one.png"))
    assert found[0].fault == "cannot be segmented (RuntimeError: out of luck)"


def test_pseudo_labels_are_written_and_counted(predictor, photographs, tmp_path):
    images = find_photographs(photographs, None).images
    counts = DoubtCounts(len(predictor.classes))
    measure_photographs(predictor, images, counts)
    out_dir = tmp_path / "labels"
    outputs = Outputs(tmp_path, predictor.classes, predictor.palette)
    writer = PseudoLabels(out_dir, outputs, counts.max_doubt(0.5))
    predict_again(predictor, images, lambda source, image, prediction: writer.write(source, prediction))
    assert sorted(str(path.relative_to(out_dir)) for path in out_dir.rglob("*.png")) == [
        "one.png",
        "sub/three.png",
        "two.png",
    ]
    stored = [np.asarray(Image.open(path)) for path in out_dir.rglob("*.png")]
    for class_id in range(19):
        assert sum((train_ids == class_id).sum() for train_ids in stored) == writer.kept[class_id]
    seen = writer.pixels > 100
    assert seen.sum() > 1
    assert ((writer.kept / np.maximum(writer.pixels, 1))[seen] >= 0.5).all()
    assert ((writer.kept / np.maximum(writer.pixels, 1))[seen] < 0.55).all()


def test_photographs_that_would_get_one_pseudo_label_are_refused():
    images = [SourceImage(Path(name), Path(name)) for name in ("a.jpg", "b.jpg", "a.png")]
    with raises("E-input-same-name", r"^a\.jpg and a\.png .* a\.png;"):
        check_label_names(images)


def test_of_a_reference_in_the_layout_of_cityscapes_val_is_taken(tmp_path):
    def names(root, **options):
        found = find_photographs(root, None, **options)
        return found.folder.name, [str(image.name) for image in found.images], found.note

    for split in ("train", "test", "val"):
        path = tmp_path / "leftImg8bit" / split / "town/a.png"
        path.parent.mkdir(parents=True)
        path.touch()
    truth = tmp_path / "gtFine/val/town/a.png"
    truth.parent.mkdir(parents=True)
    truth.touch()
    reference = dict(is_reference=True)
    assert names(tmp_path, **reference) == ("val", ["town/a.png"], "images of val, not of test or train")
    (tmp_path / "leftImg8bit/val/town/a.png").unlink()
    assert names(tmp_path, **reference)[::2] == ("test", "images of test, not of train")
    (tmp_path / "leftImg8bit/test/town/a.png").unlink()
    assert names(tmp_path, **reference)[2].startswith("images of train, the only split: a model that was trained on")
    assert names(tmp_path) == ("leftImg8bit", ["train/town/a.png"], "")
    assert names(tmp_path / "gtFine", **reference) == ("gtFine", ["val/town/a.png"], "")  # a folder is a folder


def test_photographs_are_chosen_evenly(photographs):
    found = find_photographs(photographs, 2)
    assert [image.name.name for image in found.images] == ["broken.jpg", "two.png"]
    assert found.num_found == 4


def measured(score, shares, name):
    return Measured(SourceImage(Path(name), Path(name)), (1, 1), Measures(0.9, 0.1, 1.0, score, np.array(shares)))


def test_the_summary_ranks_the_hardest_first_and_compares_with_the_truth(tmp_path):
    here = [measured(i / 10, [0.2, 0.8], f"{i}.jpg") for i in (1, 3, 2)]
    there = [measured(0.15, [0.8, 0.2], "r.jpg"), measured(0.25, [0.7, 0.3], "s.jpg")]
    truth = {Path(f"{i}.jpg").resolve(): 100.0 - i for i in (1, 2, 3)}
    folder, reference = make_sides(here, there, truth)
    assert [one.source.name.name for one in folder.measured] == ["3.jpg", "2.jpg", "1.jpg"]
    assert folder.places["score"].tolist() == [1, 0.5, 0]
    summary = summarize(folder, reference, ["road", "sky"])
    assert summary["means"]["score"] == pytest.approx({"folder": 0.2, "reference": 0.2, "place": 0.5})
    assert summary["words"] == "more sky (+55.0); less road (-55.0)"
    assert summary["correlation"]["score"]["folder"]["value"] == pytest.approx(1)
    assert summary["correlation"]["score"]["reference"]["value"] is None
    assert summary["correlation"]["confidence"]["both"]["value"] is None  # all are alike
    broken = Measured(SourceImage(Path("x.jpg"), Path("x.jpg")), None, None, "not a readable image")
    write_tables(tmp_path / "out", folder, reference, {"images": [broken], "reference": []}, [], ["road", "sky"])
    with (tmp_path / "out/images.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["rank"], row["image"], row["status"], row["mIoU"]) for row in rows] == [
        ("1", "3.jpg", "ok", "97.000000"),
        ("2", "2.jpg", "ok", "98.000000"),
        ("3", "1.jpg", "ok", "99.000000"),
        ("", "x.jpg", "failed: not a readable image", ""),
    ]
    assert rows[0]["share/sky"] == "0.800000"
    assert summarize(*make_sides(here, there, {}), ["road", "sky"])["correlation"] is None


def test_the_list_is_read_as_a_list(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    names = ["#1.jpg", "ä b.jpg"]
    for name in names:
        (folder / name).touch()
    here = [measured(0.5, [1.0], str(folder / name)) for name in names]
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep/er")
    write_tables(tmp_path / "link", *make_sides(here, here, {}), {"images": [], "reference": []}, here, ["road"])
    assert all(image.path.samefile(folder / image.path.name) for image in find_images(tmp_path / "link/label_next.txt"))
    write_tables(folder, *make_sides(here, here, {}), {"images": [], "reference": []}, here, ["road"])
    assert [image.path.name for image in find_images(folder / "label_next.txt")] == names
