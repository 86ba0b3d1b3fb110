"""Stored values become 0 to 255 by the ranges of the set, and pixels without data become neutral."""

import numpy as np
import pytest
import tifffile
import yaml

from semseg.datasets.band_rules import BandRules, read_band_rules
from semseg.datasets.band_statistics import describe_bands, mean_and_std, measure_bands
from semseg.datasets.bands import Bands, swap_channels
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.file_facts import BandFacts, read_band_facts
from semseg.datasets.samples import from_dataset_file
from tests.conftest import raises
from tests.datasets.drawn_bands import CLASSES, KINDS, SIZE, draw, write_set


def write(path, values, nodata=None):
    tags = [] if nodata is None else [(42113, 2, 0, nodata, True)]
    layout = {"planarconfig": "contig"} if values.shape[2] > 1 else {}
    values = values if values.shape[2] > 1 else values[..., 0]
    tifffile.imwrite(path, values, photometric="minisblack", extratags=tags, **layout)


def test_the_ends_of_the_range_become_0_and_255_and_values_outside_are_clipped(tmp_path):
    write(tmp_path / "a.tif", np.array([[[100, 0], [600, 50], [1100, 100], [0, 200]]], np.uint16))
    picture = Bands((1, 2), ((100, 1100), (0, 100)), (1, 2)).read(tmp_path / "a.tif")
    assert picture.image.dtype == np.float32
    np.testing.assert_allclose(picture.image[0], [[0, 0], [127.5, 127.5], [255, 255], [0, 255]])
    assert picture.nodata is None


def test_bands_are_counted_from_1_in_the_order_that_is_written(tmp_path):
    write(tmp_path / "a.tif", np.array([[[10, 20, 30, 40]]], np.uint16))
    picture = Bands((4, 1), ((0, 255),) * 2, (0, 0)).read(tmp_path / "a.tif")
    np.testing.assert_allclose(picture.image[0, 0], [40, 10])


def test_a_missing_band_is_named(tmp_path):
    write(tmp_path / "a.tif", np.zeros((2, 3, 4), np.uint16))
    with raises("E-data-bands", r"has 4 bands.*\[5, 1\].*band 5"):
        Bands((5, 1), ((0, 255),) * 2, (0, 0)).read(tmp_path / "a.tif")


def test_pixels_without_data_become_neutral_and_are_reported_if_no_band_has_any(tmp_path):
    values = np.full((1, 5, 2), 100, np.float32)
    values[0, 0] = np.nan
    values[0, 1, 0] = np.inf
    values[0, 2] = -9999
    values[0, 3] = -1
    write(tmp_path / "a.tif", values, "-9999")
    picture = Bands((1, 2), ((0, 200),) * 2, (7, 8), nodata=-1).read(tmp_path / "a.tif")
    np.testing.assert_allclose(picture.image[0], [[7, 8], [7, 127.5], [7, 8], [7, 8], [127.5, 127.5]])
    np.testing.assert_array_equal(picture.nodata, [[True, False, True, True, False]])


def test_a_nodata_value_that_the_type_cannot_hold_matches_nothing(tmp_path):
    write(tmp_path / "a.tif", np.zeros((2, 3, 1), np.uint8), "-9999")
    assert Bands((1,), ((0, 1),), (9,), nodata=1e30).read(tmp_path / "a.tif").nodata is None


def test_transparency_is_no_data_unless_it_is_one_of_the_bands(tmp_path):
    values = np.full((1, 2, 4), 50, np.uint16)
    values[0, 0, 3] = 0
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["unassalpha"])
    ranges = ((0, 100),) * 3
    assert Bands((1, 2, 3), ranges, (0, 0, 0)).read(tmp_path / "a.tif").nodata.tolist() == [[True, False]]
    assert Bands((4, 2, 3), ranges, (0, 0, 0)).read(tmp_path / "a.tif").nodata is None


def test_large_whole_numbers_keep_their_differences(tmp_path):
    write(tmp_path / "a.tif", np.array([[[2_000_000_000], [2_000_000_010]]], np.int32))
    picture = Bands((1,), ((2_000_000_000, 2_000_000_020),), (0,)).read(tmp_path / "a.tif")
    np.testing.assert_allclose(picture.image[0, :, 0], [0, 127.5])


def test_an_array_is_read_as_a_file_with_the_same_values(tmp_path):
    values, _ = draw(0, 6, np.float64, 1.0)
    np.save(tmp_path / "a.npy", values)
    bands = Bands((6, 2), ((0, 1),) * 2, (0, 0))
    np.testing.assert_array_equal(
        bands.convert_array(np.moveaxis(values, 2, 0)).image, bands.read(tmp_path / "a.npy").image
    )
    with raises("E-data-image-kind"):
        bands.convert_array(np.array([["a"]]))


def test_three_named_bands_are_shown_or_the_first_as_grey():
    image = np.arange(8, dtype=np.float32).reshape(1, 2, 4) * 10
    ranges = ((0, 1),) * 4
    shown = Bands((1, 2, 3, 4), ranges, (0,) * 4, rgb=(3, 0, 1)).show(image)
    assert shown.dtype == np.uint8
    assert shown.tolist() == [[[30, 0, 10], [70, 40, 50]]]
    assert Bands((1, 2, 3, 4), ranges, (0,) * 4).show(image).tolist() == [[[0] * 3, [40] * 3]]
    assert Bands((1, 2, 3), ranges[:3], (0,) * 3).show(image[..., :3]).tolist() == [[[0, 10, 20], [40, 50, 60]]]


def test_pipelines_hold_three_channels_reversed_and_others_in_their_order():
    image = np.arange(12).reshape(1, 3, 4)
    assert swap_channels(image).tolist() == image.tolist()
    assert swap_channels(image[..., :3])[0, 0].tolist() == [2, 1, 0]


def test_the_step_of_a_config_gives_the_same_bands():
    bands = Bands((4, 3), ((0, 2.5), (1, 7)), (1.5, 2), nodata=-1.0, rgb=(0, 1, 1))
    assert Bands.from_step(bands.step()) == bands
    assert Bands.from_step(Bands((1,), ((0, 1),), (3,)).step()) == Bands((1,), ((0, 1),), (3,))


RULES = {
    "one range for all": ({"bands": [4, 3], "range": [0, 100]}, BandRules((4, 3), ((0, 100), (0, 100)))),
    "one band as a number": ({"bands": 2, "range": [0, 0.5]}, BandRules((2,), ((0, 0.5),))),
    "percentiles": (
        {"bands": [1], "range": {"percentiles": [2, 98]}, "nodata": 0},
        BandRules((1,), None, (2, 98), 0.0),
    ),
    "names of colours": (
        {"bands": [1, 2, 3, 8], "range": [[0, 1]] * 4, "rgb": [3, 2, 1]},
        BandRules((1, 2, 3, 8), ((0, 1),) * 4, rgb=(2, 1, 0)),
    ),
    "nothing": ({"bits": 12}, None),
}


@pytest.mark.parametrize("content, expected", RULES.values(), ids=RULES)
def test_the_keys_of_a_dataset_file_become_rules(content, expected):
    assert read_band_rules(content) == expected


WRONG = [
    {"bands": [4, 3]},
    {"range": [0, 100]},
    {"rgb": [1, 2, 3]},
    {"bands": [0, 1], "range": [0, 1]},
    {"bands": [1, 1], "range": [0, 1]},
    {"bands": [], "range": [0, 1]},
    {"bands": [True], "range": [0, 1]},
    {"bands": "4", "range": [0, 1]},
    {"bands": [1, 2], "range": [1, 0]},
    {"bands": [1, 2], "range": [[0, 1]]},
    {"bands": [1], "range": {"percentiles": [2, 101]}},
    {"bands": [1], "range": {"percent": [2, 98]}},
    {"bands": [1], "range": [0, float("nan")]},
    {"bands": [1], "range": [0, 1], "bits": 12},
    {"bands": [1], "range": [0, 1], "nodata": "none"},
    {"bands": [1, 2, 3, 4], "range": [0, 1], "rgb": [5, 1, 2]},
    {"bands": [1, 2, 3], "range": [0, 1], "rgb": [1, 2, 3]},
]


@pytest.mark.parametrize("content", WRONG, ids=str)
def test_wrong_keys_are_refused(content):
    with raises("E-data-bands"):
        read_band_rules(content)


def test_a_dataset_file_without_the_keys_has_no_bands_and_with_them_reads_npy(tmp_path):
    path = write_set(tmp_path, "npy")
    assert ".npy" in read_dataset_file(path).image_suffix
    content = yaml.safe_load(path.read_text())
    del content["bands"], content["range"]
    path.write_text(yaml.safe_dump(content))
    rules = read_dataset_file(path)
    assert rules.bands is None
    assert ".npy" not in rules.image_suffix


@pytest.mark.parametrize("kind", KINDS)
def test_the_training_split_gives_ranges_means_and_deviations(tmp_path, kind):
    rules = read_dataset_file(write_set(tmp_path, kind))
    bands = describe_bands(rules)
    paths = sorted((tmp_path / "images/train").iterdir())
    pictures = [bands.read(path) for path in paths]
    mean, std = mean_and_std([measure_bands(rules)])
    valid = [picture.image[~picture.nodata] if picture.nodata is not None else picture.image for picture in pictures]
    values = np.concatenate([image.reshape(-1, bands.num_channels) for image in valid])
    np.testing.assert_allclose(mean, values.mean(axis=0, dtype=np.float64), rtol=1e-4)
    np.testing.assert_allclose(std, values.std(axis=0, dtype=np.float64), rtol=1e-4)
    assert bands.fill == tuple(mean)


def test_percentiles_are_those_of_the_training_split_only(tmp_path):
    rules = read_dataset_file(write_set(tmp_path, "three"))
    ranges = measure_bands(rules).ranges
    for path in (tmp_path / "images/val").iterdir():
        path.unlink()
    measure_bands.cache_clear()
    assert measure_bands(rules).ranges == ranges
    stored = np.concatenate([draw(seed, 4, np.uint16, 10000)[0].reshape(-1, 4) for seed in range(4)])
    np.testing.assert_allclose(ranges, np.percentile(stored[:, [3, 2, 1]], [1, 99], axis=0).T, rtol=1e-5)


def test_a_band_with_one_value_needs_a_stated_range(tmp_path):
    path = write_set(tmp_path, "three")
    for image in (tmp_path / "images/train").iterdir():
        write(image, np.full((*SIZE, 4), 5, np.uint16))
    with raises("E-data-bands", "band 4 is 5 at both percentiles"):
        measure_bands(read_dataset_file(path))


def test_samples_of_a_set_are_shown_in_8_bits(tmp_path):
    selection = from_dataset_file(write_set(tmp_path, "tiff16"), "val", 2)
    sample = selection.samples[0]
    values, train_ids = draw(4, 4, np.uint16, 10000)
    assert list(selection.classes) == CLASSES
    assert np.abs(sample.image - values[..., [2, 1, 0]] / 10000 * 255).max() <= 0.51
    np.testing.assert_array_equal(sample.train_ids, train_ids)


def test_values_outside_the_range_are_counted(tmp_path):
    write(tmp_path / "a.tif", np.array([[[1, 9], [5, 5], [-9999, 20]]], np.float32), "-9999")
    facts = read_band_facts(tmp_path / "a.tif", BandRules((1, 2), ((2, 10), (2, 10))), "apply")
    assert BandFacts(*facts.bands) == BandFacts(2, "float32", 5, 1, 1)
    assert (facts.width, facts.height) == (3, 1)
