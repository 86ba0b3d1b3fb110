"""Pixels without data get no class, no confidence and no share; a mask lies where its picture lies on the earth."""

import csv
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from semseg import Segmenter
from semseg.analysis.gap import measure_photographs
from semseg.analysis.pseudo_labels import pseudo_labels
from semseg.inference import Outputs, find_images, infer
from semseg.inference.georeference import find_place
from semseg.inference.tiff import segment_tiff
from tests.checkpoints.described import save, small_config
from tests.inference.brightness import CLASSES, PALETTE, Brightness
from tests.inference.test_predictor import AS_IT_IS, lively_checkpoint, picture, predictor_of

HEIGHT, WIDTH = 40, 60
SCALE = [(33550, "d", 3, (0.5, 0.5, 0.0), True), (33922, "d", 6, (0.0, 0.0, 0.0, 500.0, 7000.0, 0.0), True)]
KEYS = [(34735, "H", 8, (1, 1, 0, 1, 3072, 0, 1, 32633), True), (34737, "s", 0, "WGS 84 / UTM zone 33N|", True)]
ZERO_IS_NODATA = [(42113, "s", 0, "0", True)]
WORLD = "0.5\n0.0\n0.0\n-0.5\n500.25\n6999.75\n"


@pytest.fixture(scope="module")
def checkpoint_path(tmp_path_factory):
    return save(tmp_path_factory.mktemp("trained") / "best.pth", lively_checkpoint(small_config()))


def bright(nodata_value=0):
    """Sky above, road below; no data in the left half."""
    image = np.full((HEIGHT, WIDTH, 3), 240, np.uint8)
    image[HEIGHT // 2 :] = 16
    image[:, : WIDTH // 2] = nodata_value
    return image


EXPECTED = np.full((HEIGHT, WIDTH), 255, np.uint8)
EXPECTED[: HEIGHT // 2, WIDTH // 2 :], EXPECTED[HEIGHT // 2 :, WIDTH // 2 :] = 1, 0
ALPHA = np.where(EXPECTED == 255, 0, 255).astype(np.uint8)


def write(path, kind):
    if kind == "gdal":
        tifffile.imwrite(path, bright(), photometric="rgb", extratags=ZERO_IS_NODATA)
    elif path.suffix == ".tif":
        image = np.dstack([bright(100), ALPHA])
        tifffile.imwrite(path, image, photometric="rgb", extrasamples=["unassalpha"])
    else:
        Image.fromarray(np.dstack([bright(100), ALPHA])).save(path, lossless=True, exact=True)
    return path


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def segmented(tmp_path, *names, kinds=("pred", "vis"), **options):
    outputs = Outputs(tmp_path / "out", CLASSES, PALETTE, kinds)
    summary = infer(Brightness(), find_images(*(tmp_path / name for name in names)), outputs, **options)
    return summary, tmp_path / "out"


@pytest.mark.parametrize("name", ["a.png", "a.webp", "alpha.tif", "gdal.tif"])
def test_what_has_no_data_has_no_class_no_confidence_and_no_share(tmp_path, name):
    write(tmp_path / name, "gdal" if name == "gdal.tif" else "alpha")
    kinds = ("pred", "vis", "color", "conf", "probs")
    summary, out = segmented(tmp_path, name, kinds=kinds)
    stem = name.partition(".")[0]
    nodata = EXPECTED == 255
    np.testing.assert_array_equal(np.asarray(Image.open(out / f"pred/{stem}.png")), EXPECTED)
    confidence = np.asarray(Image.open(out / f"conf/{stem}.png"))
    assert not confidence[nodata].any()
    assert not np.load(out / f"probs/{stem}.npz")["probabilities"][:, nodata].any()
    overlay = np.asarray(Image.open(out / f"vis/{stem}.jpg")).astype(int)
    assert np.abs(overlay[nodata] - (0 if name == "gdal.tif" else 100)).mean() < 5  # unpainted
    (row,) = rows(out / "stats.csv")
    assert (float(row["sky"]), float(row["road"])) == (0.5, 0.5)
    (row,) = rows(out / "manifest.csv")
    assert float(row["mean_confidence"]) == pytest.approx(239.5 / 255, abs=1e-4)
    assert summary.shares.tolist() == [0.5, 0.5]


def test_an_image_without_any_data_counts_in_no_mean(tmp_path):
    write(tmp_path / "a.png", "alpha")
    Image.fromarray(np.zeros((HEIGHT, WIDTH, 4), np.uint8)).save(tmp_path / "b.png")
    summary, out = segmented(tmp_path, "a.png", "b.png")
    assert (np.asarray(Image.open(out / "pred/b.png")) == 255).all()
    row = rows(out / "manifest.csv")[1]
    assert (row["status"], row["mean_confidence"]) == ("ok", "")
    assert rows(out / "stats.csv")[1]["sky"] == "0.000000"
    assert summary.shares.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("kind", ["gdal", "alpha"])
def test_by_tiles_it_is_the_same(tmp_path, kind):
    image = picture(120, 200)
    nodata = np.zeros(image.shape[:2], bool)
    nodata[40:100, 30:150] = True
    options = dict(photometric="rgb", tile=(64, 64))
    if kind == "gdal":
        image[nodata] = 0
        image[~nodata] |= 1
        tifffile.imwrite(tmp_path / "x.tif", image, extratags=ZERO_IS_NODATA, **options)
    else:
        alpha = np.where(nodata, 0, 255).astype(np.uint8)
        tifffile.imwrite(tmp_path / "x.tif", np.dstack([image, alpha]), extrasamples=["unassalpha"], **options)
    predictor = predictor_of(tmp_path, pipeline=AS_IT_IS, tile=128)
    found = segment_tiff(predictor, tmp_path / "x.tif", tmp_path / "m.tif")
    (whole,) = predictor.predict([image], confidence=True)
    expected = np.where(nodata, 255, whole.train_ids)
    with tifffile.TiffFile(tmp_path / "m.tif") as file:
        page = file.pages[0]
        assert (page.asarray() == expected).all()
        assert page.tags[42113].value == "255"
    assert (found.counts == np.bincount(expected.ravel(), minlength=256)).all()
    assert found.confidence == pytest.approx(whole.confidence[~nodata].mean(), abs=1e-5)
    assert (found.overview_train_ids == expected).all()


def test_a_segmenter_says_nothing_of_pixels_without_data(tmp_path, checkpoint_path):
    seg = Segmenter(checkpoint_path, device="cpu")
    path = write(tmp_path / "a.png", "alpha")
    with Image.open(path) as opened:
        for result in (seg(path, probabilities=True), seg(opened, probabilities=True)):
            assert ((result.train_ids == 255) == (EXPECTED == 255)).all()
            assert not result.confidence[EXPECTED == 255].any()
            assert not result.probabilities[:, EXPECTED == 255].any()
            assert sum(result.shares().values()) == pytest.approx(1)
            assert (result.overlay()[EXPECTED == 255] == 100).all()


def test_bits_of_a_segmenter_and_of_infer_scale_16_bits(tmp_path, checkpoint_path):
    deep = (bright(100).astype(np.uint16) * 16)[:, :, 0]
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(bright(100)[:, :, 0]).save(tmp_path / "plain.png")
    with pytest.raises(ValueError, match=r"deep\.png: stores 16 bits and never exceeds 4095 \(highest value 3840\)"):
        Segmenter(checkpoint_path, device="cpu")(tmp_path / "deep.png")
    with pytest.raises(ValueError, match="bits 5: expected how many of 16 bits are in use"):
        Segmenter(checkpoint_path, device="cpu", bits=5)
    seg = Segmenter(checkpoint_path, device="cpu", bits=12)
    assert np.abs(seg(tmp_path / "deep.png").image.astype(int) - seg(tmp_path / "plain.png").image).max() <= 1

    summary, out = segmented(tmp_path, "deep.png", "plain.png")
    assert [path.name for path in summary.failed] == ["deep.png"]
    status = rows(out / "manifest.csv")[0]["status"]
    assert status.startswith("failed: stores 16 bits and never exceeds 4095 (highest value 3840)")
    assert "--bits 12" in status
    assert not (out / "pred/deep.png").exists()


def test_a_photograph_is_measured_where_it_has_data(tmp_path):
    """What has no data is left out of every number of a gap."""
    image = picture(64, 96)
    alpha = np.zeros((64, 96), np.uint8)
    alpha[:, :48] = 255
    Image.fromarray(np.dstack([image, alpha])).save(tmp_path / "half.png")
    Image.fromarray(np.dstack([image, 0 * alpha])).save(tmp_path / "none.png")
    predictor = predictor_of(tmp_path, pipeline=AS_IT_IS)
    half, none = measure_photographs(predictor, find_images(tmp_path / "half.png", tmp_path / "none.png"))
    (whole,) = predictor.predict([image])
    shares = np.bincount(whole.train_ids[:, :48].ravel(), minlength=19) / (64 * 48)
    assert half.measures.shares == pytest.approx(shares)
    assert none.measures is None
    assert "has no data" in none.fault


def test_no_pseudo_label_is_made_without_data():
    train_ids = np.array([[0, 1, 255]], np.uint8)
    doubt = np.zeros((1, 3), np.float16)
    assert pseudo_labels(train_ids, doubt, np.array([0.5, 0.5], np.float16)).tolist() == [[0, 1, 255]]


def test_a_small_geotiff_gives_a_mask_with_the_same_place_and_palette(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", bright(), photometric="rgb", extratags=[*SCALE, *KEYS, *ZERO_IS_NODATA])
    _, out = segmented(tmp_path, "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as photo, tifffile.TiffFile(out / "pred/a.tif") as mask:
        page, stored = mask.pages[0], photo.pages[0]
        assert (page.asarray() == EXPECTED).all()
        for code in (33550, 33922, 34735, 34737):
            assert page.tags[code].value == stored.tags[code].value
        assert page.tags[42113].value == "255"
        assert (page.colormap[:, :2].T // 257).tolist() == PALETTE
    assert rows(out / "manifest.csv")[0]["outputs"] == "pred/a.tif;vis/a.jpg"
    assert not (out / "pred/a.png").exists()
    summary, _ = segmented(tmp_path, "a.tif", skip_existing=True)
    assert summary.num_left == 1


@pytest.mark.parametrize(
    ("name", "world", "mask", "mask_world"),
    [
        ("a.tif", "a.tfw", "a.tif", "a.tfw"),
        ("a.tif", "a.tifw", "a.tif", "a.tfw"),
        ("a.jpg", "a.jgw", "a.png", "a.pgw"),
        ("a.png", "a.pgw", "a.png", "a.pgw"),
        ("a.png", "a.wld", "a.png", "a.pgw"),
        ("a.jpg", "a.JGW", "a.png", "a.pgw"),
    ],
)
def test_a_world_file_goes_with_the_mask(tmp_path, name, world, mask, mask_world):
    Image.fromarray(bright(100)).save(tmp_path / name)
    (tmp_path / world).write_text(WORLD)
    _, out = segmented(tmp_path, name)
    assert sorted(path.name for path in (out / "pred").iterdir()) == sorted([mask, mask_world])
    assert [float(line) for line in (out / "pred" / mask_world).read_text().split()] == [
        float(line) for line in WORLD.split()
    ]


def test_without_a_place_the_mask_of_a_tiff_is_a_png(tmp_path):
    Image.fromarray(bright(100)).save(tmp_path / "a.tif")
    _, out = segmented(tmp_path, "a.tif")
    assert [path.name for path in (out / "pred").iterdir()] == ["a.png"]


def test_a_place_that_cannot_be_kept_is_one_sentence(tmp_path, monkeypatch):
    Image.fromarray(bright(100)).save(tmp_path / "broken.png")
    (tmp_path / "broken.pgw").write_text("0.5\n0\n")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(bright(100)).save(tmp_path / "turned.jpg", exif=exif)
    (tmp_path / "turned.jgw").write_text(WORLD)
    tifffile.imwrite(tmp_path / "geo.tif", bright(), photometric="rgb", extratags=SCALE)
    assert find_place(tmp_path / "turned.jpg", "ignore").world
    monkeypatch.setitem(sys.modules, "tifffile", None)
    summary, out = segmented(tmp_path, "broken.png", "turned.jpg", "geo.tif")
    assert len(summary.failed) == 3
    status = {row["source"].rpartition("/")[2]: row["status"] for row in rows(out / "manifest.csv")}
    assert status["broken.png"] == (
        "failed: its world file broken.pgw does not hold six numbers; mend it, or remove it"
    )
    assert status["turned.jpg"].startswith("failed: has a place on the earth and is turned by its orientation (6)")
    assert status["geo.tif"] == (
        "failed: cannot be written (a mask with a place on the earth is written by tifffile, which is not installed:"
        " pip install -e '.[tiff]')"
    )
