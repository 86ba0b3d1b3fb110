"""Images in windows: no seams, little memory."""

import csv
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from semseg.inference import Outputs, find_images, infer
from semseg.inference.tiff import TiffImage, segment_tiff
from semseg.inference.tiles import blend_windows, window_starts, window_weights
from tests.conftest import REPO, raises
from tests.inference.brightness import save
from tests.inference.test_predictor import AS_IT_IS, SMALLER, picture, predictor_of


def test_windows_cover_everything_and_end_at_the_edge():
    assert window_starts(100, 40, 30) == [0, 30, 60]
    assert window_starts(101, 40, 30) == [0, 30, 60, 61]
    assert window_starts(40, 40, 30) == window_starts(30, 30, 30) == [0]


def test_the_weights_of_a_window_decrease_towards_its_edges():
    assert window_weights(6, 2).tolist() == pytest.approx([1 / 3, 2 / 3, 1, 1, 2 / 3, 1 / 3])
    assert window_weights(3, 0).tolist() == [1, 1, 1]


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(("size", "stride"), [((70, 90), 24), ((64, 33), 32), ((20, 90), 24), ((70, 90), 7)])
def test_blending_windows_of_scores_gives_the_scores_back(smooth, size, stride):
    scores = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))

    def scores_of(top, bottom, left, right):
        return scores[:, :, top:bottom, left:right].clone()

    bands = list(blend_windows(scores_of, size, (32, 32), (stride, stride), smooth))
    assert torch.allclose(torch.cat(bands, dim=2), scores, atol=1e-5)


def test_windows_with_different_scores_are_blended_without_a_seam():
    def scores_of(top, bottom, left, right):  # other scores in each window
        return torch.full((1, 1, bottom - top, right - left), float((top + 3 * left) % 64 / 64))

    size, window, stride = (200, 200), (64, 64), (48, 48)
    hard, soft = (
        torch.cat(list(blend_windows(scores_of, size, window, stride, smooth)), dim=2)[0, 0] for smooth in (False, True)
    )

    def steepest(scores):
        return max(scores.diff(dim=0).abs().max().item(), scores.diff(dim=1).abs().max().item())

    assert steepest(soft) < steepest(hard) / 4


@pytest.mark.slow
def test_tiles_keep_the_size_of_the_image_and_agree_with_the_whole(tmp_path):
    image = picture(300, 401)
    tiled = predictor_of(tmp_path, pipeline=SMALLER, tile=256, overlap=0.5)
    assert tiled.notes[1:] == ["tiles: images keep their size, which the test pipeline of the config would change"]
    whole = predictor_of(tmp_path, pipeline=AS_IT_IS)
    found = tiled.predict([image, image[::-1]], confidence=True)
    assert [part.train_ids.shape for part in found] == [(300, 401)] * 2
    assert (found[0].train_ids == whole(image)).mean() > 0.5  # pooling is over a tile, not the image
    assert (found[0].confidence > 0).all()
    one_tile = predictor_of(tmp_path, pipeline=SMALLER, tile=500)
    assert (one_tile.predict([image])[0].train_ids == whole(image)).mean() > 0.9999
    by_rows = [part.train_ids for part in tiled.predict_rows(image)]
    assert len(by_rows) > 1
    assert (np.concatenate(by_rows) == found[0].train_ids).mean() > 0.9999  # in a batch, rounding may differ
    with raises("E-input-no-tile", "`tile`"):
        next(whole.predict_rows(image))


def test_tiles_can_be_flipped(tmp_path):
    image = picture(200, 300)
    predictor = predictor_of(tmp_path, pipeline=AS_IT_IS, tile=128, tta="flip,1.25")
    (found,) = predictor.predict([image], confidence=True)
    (mirrored,) = predictor.predict([np.ascontiguousarray(image[:, ::-1])])
    assert len(np.unique(found.train_ids)) > 2
    assert (found.train_ids == mirrored.train_ids[:, ::-1]).mean() > 0.8  # the tiles are at other positions


@pytest.mark.parametrize(
    ("options", "message"), [({"tile": 0}, "`tile` 0"), ({"overlap": 1.0}, "`overlap` 1.0: .* 0 to below 1")]
)
def test_other_tiles_are_refused(tmp_path, options, message):
    with raises("E-input-range", message):
        predictor_of(tmp_path, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (64, 48)},
        {"tile": (64, 48), "compression": "zlib", "predictor": True},
        {"rowsperstrip": 7},
        {"compression": "zlib", "rowsperstrip": 400},
        {"bigtiff": True, "tile": (16, 16)},
        {"tile": (64, 48), "compression": "lzw", "predictor": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_part_of_a_tiff_can_be_read(tmp_path, options, channels):
    image = np.random.default_rng(0).integers(0, 256, (150, 201, channels), np.uint8)
    kind = "minisblack" if channels == 1 else "rgb"
    pixels = image[:, :, 0] if channels == 1 else image
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric=kind, planarconfig="contig", **options)
    expected = np.repeat(image, 3, axis=2) if channels == 1 else image[:, :, :3]
    with TiffImage(tmp_path / "x.tif") as found:
        assert found.shape == (150, 201, 3)
        for top, bottom, left, right in ((0, 150, 0, 201), (63, 65, 47, 97), (140, 150, 200, 201)):
            assert (found[top:bottom, left:right] == expected[top:bottom, left:right]).all()


def test_tiles_may_hold_jpeg(tmp_path):
    image = picture(150, 200)
    options = dict(photometric="rgb", tile=(64, 64), compression="jpeg", compressionargs={"level": 95})
    tifffile.imwrite(tmp_path / "x.tif", image, **options)
    with TiffImage(tmp_path / "x.tif") as found:
        difference = found[10:140, 30:200].astype(int) - image[10:140, 30:200]
    assert np.abs(difference).mean() < 3


def test_other_files_are_refused(tmp_path):
    (tmp_path / "x.tif").write_bytes(b"no picture")
    with raises("E-input-unreadable", "not a readable TIFF file"):
        TiffImage(tmp_path / "x.tif")
    tifffile.imwrite(tmp_path / "y.tif", np.zeros((8, 8), np.uint8), photometric="miniswhite")
    with raises("E-input-unreadable", "MINISWHITE of uint8; .* 8 or 16 bits"):
        TiffImage(tmp_path / "y.tif")
    tifffile.imwrite(tmp_path / "y.tif", np.zeros((8, 8, 4), np.float32), photometric="rgb")
    with raises("E-input-unreadable", "3 bands of floating-point numbers of 32 bits"):
        TiffImage(tmp_path / "y.tif")
    image = picture(200, 300)
    tifffile.imwrite(tmp_path / "z.tif", image, photometric="rgb", tile=(64, 64))
    content = (tmp_path / "z.tif").read_bytes()
    (tmp_path / "z.tif").write_bytes(content[: len(content) // 2])
    with TiffImage(tmp_path / "z.tif") as cut, raises("E-input-unreadable", "piece [0-9]+ cannot be read"):
        cut[0:200, 0:300]


def test_the_mask_of_a_tiff_is_a_tiff_with_the_palette(tmp_path):
    image = picture(300, 530)
    tifffile.imwrite(tmp_path / "x.tif", image, photometric="rgb", tile=(64, 64), compression="zlib")
    predictor = predictor_of(tmp_path, pipeline=AS_IT_IS, tile=256)
    shares = []
    found = segment_tiff(predictor, tmp_path / "x.tif", tmp_path / "out/x.tif", shares.append)
    (expected,) = predictor.predict([image], confidence=True)
    with tifffile.TiffFile(tmp_path / "out/x.tif") as file:
        page = file.pages[0]
        assert (page.asarray() == expected.train_ids).all()
        assert (np.array(predictor.palette) == page.colormap[:, :19].T // 257).all()
    assert (found.counts == np.bincount(expected.train_ids.ravel(), minlength=256)).all()
    assert found.confidence == pytest.approx(expected.confidence.mean())
    assert sum(shares) == pytest.approx(1)
    assert (found.overview == image).all()  # it is small already
    assert (found.overview_train_ids == expected.train_ids).all()


@pytest.mark.slow
def test_the_overview_of_a_large_tiff_is_small_and_its_mask_has_the_same_place_on_the_earth(tmp_path):
    image = np.repeat(picture(75, 120), 40, axis=1)  # 4800 wide: every third pixel
    scale = [(33550, "d", 3, (0.5, 0.5, 0.0), True), (33922, "d", 6, (0.0, 0.0, 0.0, 5.0, 7.0, 0.0), True)]
    tifffile.imwrite(tmp_path / "x.tif", image, photometric="rgb", extratags=scale)
    found = segment_tiff(predictor_of(tmp_path, pipeline=AS_IT_IS, tile=64), tmp_path / "x.tif", tmp_path / "m.tif")
    mask = tifffile.imread(tmp_path / "m.tif")
    assert found.overview.shape == (25, 1600, 3)
    assert (found.overview_train_ids == mask[::3, ::3]).all()
    blocks = image.reshape(25, 3, 1600, 3, 3).mean(axis=(1, 3))
    assert np.abs(found.overview - blocks).max() <= 1
    with tifffile.TiffFile(tmp_path / "m.tif") as file:
        assert file.pages[0].tags[33550].value == (0.5, 0.5, 0.0)
        assert file.pages[0].tags[33922].value == (0.0, 0.0, 0.0, 5.0, 7.0, 0.0)


def test_a_tiff_with_too_many_pixels_is_segmented_by_tiles(tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    tifffile.imwrite(photos / "huge.tif", picture(300, 530), photometric="rgb")
    tifffile.imwrite(photos / "odd.tif", np.zeros((300, 530), np.uint16))
    save(photos / "small.png")
    save(photos / "wide.png", 530, 300)
    predictor = predictor_of(tmp_path, pipeline=AS_IT_IS, tile=256)
    outputs = Outputs(tmp_path / "out", predictor.classes, predictor.palette, ("pred", "vis", "conf"))
    run = dict(max_pixels=10_000, skip_existing=True)
    summary = infer(predictor, find_images(photos), outputs, **run)
    assert [path.name for path in summary.failed] == ["odd.tif", "wide.png"]
    said = capsys.readouterr().err
    assert "odd.tif: " in said
    assert "stores 16 bits; by tiles, say with `bits` how many of them are in use, such as 12, or 16 for all" in said
    assert "wide.png: 530x300 are more pixels than `max_pixels` 10000" in said
    with (tmp_path / "out/manifest.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["source"].endswith("huge.tif"))
    assert (row["outputs"], row["width"], row["height"]) == ("pred/huge.tif;vis/huge.jpg", "530", "300")
    assert Image.open(tmp_path / "out/vis/huge.jpg").size == (530, 300)
    assert sorted(path.name for path in (tmp_path / "out/conf").iterdir()) == ["small.png"]
    assert infer(predictor, find_images(photos), outputs, **run).num_left == 2

    whole = predictor_of(tmp_path, pipeline=AS_IT_IS)
    infer(
        whole, find_images(photos / "huge.tif"), Outputs(tmp_path / "two", whole.classes, whole.palette), max_pixels=9
    )
    assert re.search(r"huge\.tif: 530x300 .* 9; with --tile 1024 a TIFF file", capsys.readouterr().err)


CHILD = """
import resource, sys
import numpy as np, tifffile, torch
from pathlib import Path
from semseg.inference.tiff import segment_tiff
from tests.inference.test_predictor import AS_IT_IS, predictor_of

torch.set_num_threads(1)
folder = Path(sys.argv[1])
tile = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
predictor = predictor_of(folder, pipeline=AS_IT_IS, tile=256)
for height in (512, 4096):
    options = dict(shape=(height, 256, 3), dtype=np.uint8, tile=(256, 256), photometric="rgb")
    tifffile.imwrite(folder / "big.tif", (tile for _ in range(height // 256)), **options)
    counts = segment_tiff(predictor, folder / "big.tif", folder / "mask.tif").counts
    print(counts.sum(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_height_of_the_image(tmp_path):
    command = [sys.executable, "-c", CHILD, tmp_path]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    (short, before), (tall, after) = (map(int, line.split()) for line in done.stdout.splitlines()[-2:])
    assert (short, tall) == (256 * 512, 256 * 4096)
    assert (after - before) / 1024 < 20  # MiB; the scores in full size are 76 MiB
