"""Predictions become the server's archive, or one sentence says why not."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.cityscapes.submit import pack
from semseg.labels import CITYSCAPES
from tests.conftest import raises

NAMES = ["berlin_000000_000019", "berlin_000001_000019", "bonn_000000_000019"]


def write_png(path, values, palette=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values, np.uint8))
    if palette:
        image = image.convert("P")
        image.putpalette([value for color in CITYSCAPES.palette for value in color])
    image.save(path)
    return path


def random_train_ids(seed):
    return np.random.default_rng(seed).integers(0, 19, (16, 32), np.uint8)


@pytest.fixture
def root(tmp_path):
    for name in NAMES:
        city = name.split("_")[0]
        write_png(tmp_path / f"cs/leftImg8bit/test/{city}/{name}_leftImg8bit.png", np.zeros((16, 32, 3)))
    return tmp_path / "cs"


@pytest.fixture
def predictions(tmp_path):
    """One as tools/test.py writes it, one as tools/infer.py does, one named after the frame alone."""
    folder = tmp_path / "pred"
    write_png(folder / f"{NAMES[0]}_leftImg8bit.png", random_train_ids(0))
    write_png(folder / f"berlin/{NAMES[1]}_leftImg8bit.png", random_train_ids(1), palette=True)
    write_png(folder / f"{NAMES[2]}.png", random_train_ids(2))
    (folder / "vis.jpg").write_bytes(b"not looked at")
    return folder


def fails(code, values, *arguments):
    with raises(code, values):
        pack(*arguments)


def test_the_archive_holds_label_ids_under_the_names_that_the_server_reads(root, predictions, tmp_path):
    calls = []
    assert pack(predictions, tmp_path / "x.zip", root, on_progress=lambda *call: calls.append(call)) == 3
    assert calls == [(1, 3), (2, 3), (3, 3)]
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.namelist() == [f"{name}_labelIds.png" for name in NAMES]
        for seed, name in enumerate(archive.namelist()):
            with archive.open(name) as file, Image.open(file) as image:
                assert image.mode == "L"
                assert np.array_equal(CITYSCAPES.to_train_ids(np.asarray(image)), random_train_ids(seed))


def test_the_same_predictions_give_the_same_archive(root, predictions, tmp_path):
    for name in ("a.zip", "b.zip"):
        pack(predictions, tmp_path / name, root)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_the_official_evaluation_finds_every_prediction_and_agrees(root, predictions, tmp_path):
    official = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    pack(predictions, tmp_path / "x.zip", root)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        archive.extractall(tmp_path / "results")
    truths = []
    for seed, name in enumerate(NAMES):
        label_ids = CITYSCAPES.to_label_ids(random_train_ids(seed))
        truths.append(str(write_png(tmp_path / f"truth/{name}_gtFine_labelIds.png", label_ids)))
    args = official.args
    args.predictionPath, args.predictionWalk = str(tmp_path / "results"), None
    args.evalInstLevelScore, args.quiet, args.JSONOutput = False, True, False
    found = [official.getPrediction(args, truth) for truth in truths]
    assert official.evaluateImgLists(found, truths, args)["averageScoreClasses"] == 1.0


def test_missing_predictions_are_counted_and_the_first_is_named(root, predictions, tmp_path):
    (predictions / f"{NAMES[2]}.png").unlink()
    values = rf"^1 of 3 images of test .*/{NAMES[2]}_leftImg8bit.png"
    fails("E-data-predictions", values, predictions, tmp_path / "x.zip", root)
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.parametrize("name", ["bonn_000007_000019.png", "IMG_1.png", "berlin.png"])
def test_unknown_predictions_are_named(root, predictions, tmp_path, name):
    write_png(predictions / name, random_train_ids(0))
    fails("E-data-predictions", rf"^1 of 4 predictions .* test, first .*/{name}", predictions, tmp_path / "x.zip", root)


def test_two_predictions_for_one_image_are_named(root, predictions, tmp_path):
    write_png(predictions / f"b/{NAMES[2]}_leftImg8bit.png", random_train_ids(0))
    values = rf"^{NAMES[2]} has two predictions, .*/b/{NAMES[2]}_left.*.png and .*/{NAMES[2]}.png"
    fails("E-data-predictions", values, predictions, tmp_path / "x.zip", root)


def test_another_size_is_named(root, predictions, tmp_path):
    write_png(predictions / f"{NAMES[2]}.png", np.zeros((8, 16)))
    fails(
        "E-data-size",
        rf"^1 of 3 predictions .*/{NAMES[2]}.png: 16x8, the image has 32x16",
        predictions,
        tmp_path / "x.zip",
        root,
    )


def test_overlays_are_not_taken_for_predictions(root, predictions, tmp_path):
    write_png(predictions / f"{NAMES[2]}.png", np.zeros((16, 32, 3)))
    fails("E-data-encoding", r"^1 of 3 predictions .*.png \(RGB\)", predictions, tmp_path / "x.zip", root)


@pytest.mark.parametrize(
    ("value", "values"),
    [
        (33, r"holds {33: 2 px}; expected train ids 0 to 18, .*label ids\?"),
        (255, r"holds {255: 2 px}; expected train ids 0 to 18, .*ignored pixels"),
    ],
)
def test_values_that_are_no_train_ids_are_named_and_no_archive_appears(root, predictions, tmp_path, value, values):
    train_ids = random_train_ids(0)
    train_ids[0, :2] = value
    path = write_png(predictions / f"{NAMES[2]}.png", train_ids)
    fails("E-data-mask-values", rf"^1 of 3 predictions .*{path} {values}", predictions, tmp_path / "x.zip", root)
    assert not list(tmp_path.glob("*.zip"))
    assert not list(tmp_path.glob(".*"))


def test_damaged_predictions_are_named(root, predictions, tmp_path):
    path = predictions / f"{NAMES[2]}.png"
    path.write_bytes(path.read_bytes()[:-60])
    fails("E-data-unreadable", rf"^1 of 3 predictions .*{path}", predictions, tmp_path / "x.zip", root)
    path.write_bytes(b"no PNG")
    fails("E-data-unreadable", rf"^{path}", predictions, tmp_path / "x.zip", root)


def test_wrong_folders_and_names_are_named(root, predictions, tmp_path):
    fails("E-input-value", r"x.tar .*.zip", predictions, tmp_path / "x.tar", root)
    values = r"/leftImg8bit/val; .*`root` and `split`$"
    fails("E-data-missing", values, predictions, tmp_path / "x.zip", root, "val")
    (root / "leftImg8bit/val").mkdir()
    values = r"\*_leftImg8bit.png .*/val; unpack leftImg8bit_trainvaltest.zip in "
    fails("E-data-missing", values, predictions, tmp_path / "x.zip", root, "val")
    fails("E-data-missing", r"/nowhere; tools/test.py --out DIR", tmp_path / "nowhere", tmp_path / "x.zip", root)
    (tmp_path / "empty").mkdir()
    fails("E-data-missing", r"/empty; tools/test.py --out DIR", tmp_path / "empty", tmp_path / "x.zip", root)
