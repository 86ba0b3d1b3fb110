import numpy as np
import pytest
import yaml
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, TRANSFORMS
from PIL import Image

import semseg.plugins  # noqa: F401
from semseg.datasets import samples
from semseg.datasets.rare_class_crops import rarity
from tests.conftest import raises

CLASSES = ["ground", "sky", "lamp", "bird"]
SIZE = (40, 60)  # height, width
LAMP, BIRD = (slice(10, 30), slice(50, 60)), (slice(2, 4), slice(3, 6))


def write_set(root, masks):
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number, mask in enumerate(masks):
        Image.fromarray(np.stack([mask * 60] * 3, axis=2)).save(root / f"images/{number}.png")
        Image.fromarray(mask).save(root / f"masks/{number}.png")
    rules = {
        "splits": {"train": {"images": "images", "masks": "masks"}},
        "encoding": "ids",
        "classes": CLASSES,
    }
    (root / "dataset.yaml").write_text(yaml.safe_dump(rules))
    return {
        "type": "FolderSegDataset",
        "dataset_file": str(root / "dataset.yaml"),
        "split": "train",
        "pipeline": [
            {"type": "LoadImageFromFile"},
            {"type": "LoadTrainIds"},
            {"type": "RareClassCrop", "crop_size": (8, 16)},
            {"type": "PackSegInputs"},
        ],
    }


def mask(*things):
    train_ids = np.zeros(SIZE, np.uint8)
    train_ids[:20] = 1
    train_ids[0, 0] = 255
    for place, train_id in things:
        train_ids[place] = train_id
    return train_ids


@pytest.fixture
def streets(tmp_path):
    """Eight: the first has a lamp, the second a lamp and a bird of 6 pixels."""
    init_default_scope("mmseg")
    return write_set(tmp_path / "set", [mask((LAMP, 2)), mask((LAMP, 2), (BIRD, 3)), *[mask()] * 6])


def build(dataset, **options):
    return DATASETS.build(dict(type="RareClassDataset", dataset=dataset, **options))


def drawn(dataset, count=200):
    np.random.seed(0)
    return [dataset[0]["data_samples"] for _ in range(count)]


def test_classes_are_drawn_by_the_formula():
    pixels = np.array([9900, 60, 40, 0])
    expected = np.exp((1 - pixels / 10_000) / 0.01) * (pixels > 0)
    np.testing.assert_allclose(rarity(pixels, 0.01), expected / expected.sum())
    np.testing.assert_allclose(rarity(pixels, 1e-9), [0, 0, 1, 0])  # the rarest, without an overflow
    np.testing.assert_allclose(rarity(pixels, 1e9), [1 / 3, 1 / 3, 1 / 3, 0], rtol=1e-6)


def test_a_share_of_the_samples_is_cropped_around_rare_classes(streets):
    dataset = build(streets, share=0.75)
    assert (len(dataset), dataset.metainfo["classes"]) == (8, tuple(CLASSES))
    assert dataset.get_data_info(3)["img_path"].endswith("3.png")
    found = drawn(dataset)
    around = [sample for sample in found if sample.get("rare_class")]
    assert 0.65 < len(around) / len(found) < 0.85
    names = [sample.rare_class for sample in around]
    # 400 and 6 pixels of 19,192 each 2 of 8 and 1 of 8: shares 2 % and 0.03 %, so e² : 1 in favour of the bird
    assert set(names) == {"lamp", "bird"}
    assert names.count("bird") > 3 * names.count("lamp") > 0
    for sample in around:
        train_ids = sample.gt_sem_seg.data[0].numpy()
        assert train_ids.shape == (8, 16)
        assert (train_ids == CLASSES.index(sample.rare_class)).any()
        assert sample.img_path.endswith(("0.png", "1.png") if sample.rare_class == "lamp" else "1.png")
    assert {sample.img_path[-5:] for sample in found if not sample.get("rare_class")} == {"0.png"}  # as asked for


@pytest.mark.slow
def test_images_with_enough_pixels_come_first(streets, tmp_path):
    small = (slice(10, 12), slice(50, 60))
    dataset = write_set(tmp_path / "other", [mask((LAMP, 2)), mask((small, 2)), mask((BIRD, 3))])
    for min_pixels, lamps in ((100, {"0"}), (20, {"0", "1"}), (1000, {"0", "1"})):
        found = drawn(build(dataset, share=1.0, min_pixels=min_pixels, temperature=1.0))
        by_class = {name: {s.img_path[-5] for s in found if s.get("rare_class") == name} for name in CLASSES[2:]}
        assert by_class == {"lamp": lamps, "bird": {"2"}}


def test_the_pixel_is_in_the_middle_of_the_crop_if_the_border_allows_it():
    crop = TRANSFORMS.build(dict(type="RareClassCrop", crop_size=(8, 16)))
    seg = np.zeros(SIZE, np.uint8)
    seg[20, 30] = 3
    results = {"img": np.zeros((*SIZE, 3)), "gt_seg_map": seg, "rare_class": 3}
    np.random.seed(0)
    boxes = np.array([crop.crop_bbox(results) for _ in range(300)])
    top, bottom, left, right = boxes.T
    assert set(bottom - top) == {8} and set(right - left) == {16}
    assert set(20 - top) == {2, 3, 4, 5} and set(30 - left) == set(range(4, 12))
    seg[:] = 0
    seg[0, 59] = 3
    assert {tuple(crop.crop_bbox(results)) for _ in range(50)} == {(0, 8, 44, 60)}
    larger = TRANSFORMS.build(dict(type="RareClassCrop", crop_size=(64, 16)))
    assert larger.transform({**results, "seg_fields": ["gt_seg_map"]})["gt_seg_map"].shape == (40, 16)


@pytest.mark.parametrize("train_id", [None, 3])
def test_without_the_class_it_is_random_crop(train_id):
    options = dict(crop_size=(8, 16), cat_max_ratio=0.6)
    results = {"img": np.zeros((*SIZE, 3)), "gt_seg_map": mask((LAMP, 2)), "rare_class": train_id}
    boxes = []
    for kind in ("RandomCrop", "RareClassCrop"):
        crop = TRANSFORMS.build(dict(type=kind, **options))
        np.random.seed(0)
        boxes.append([crop.crop_bbox(results) for _ in range(20)])
    assert boxes[0] == boxes[1]


@pytest.mark.slow
def test_sets_inside_other_wrappers_are_all_drawn_from(streets, tmp_path):
    other = write_set(tmp_path / "other", [mask(), mask((BIRD, 3))])
    repeated = {"type": "RepeatDataset", "times": 3, "dataset": other}
    dataset = build({"type": "ConcatDataset", "datasets": [streets, repeated]}, share=1.0)
    assert len(dataset) == 8 + 6
    birds = {sample.img_path for sample in drawn(dataset) if sample.get("rare_class") == "bird"}
    assert birds == {f"{tmp_path}/set/images/1.png", f"{tmp_path}/other/images/1.png"}


def test_a_crop_that_a_transform_rejects_is_replaced_by_the_requested_sample(streets):
    dataset = build(streets, share=1.0)
    pipeline = dataset.dataset.pipeline
    dataset.dataset.pipeline = lambda info: None if "rare_class" in info else pipeline(info)
    assert {sample.img_path[-5:] for sample in drawn(dataset, 5)} == {"0.png"}


def test_a_contact_sheet_names_the_class(streets):
    found = samples.from_dataset(build(streets, share=1.0), 3)
    assert {sample.name for sample in found.samples} <= {"bird: 1.png", "lamp: 0.png", "lamp: 1.png"}


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ({"share": 0}, "share is 0; expected above 0 and at most 1"),
        ({"share": 1.5}, r"share is 1\.5; expected above 0 and at most 1"),
        ({"temperature": 0}, "temperature is 0; expected above 0"),
    ],
)
def test_numbers_out_of_range_are_refused(streets, options, values):
    with raises("E-input-range", values):
        build(streets, **options)


@pytest.mark.slow
def test_sets_without_masks_or_labels_are_refused(streets, tmp_path):
    with raises("E-config-value", "LoadTrainIds or LoadAnnotations"):
        build({**streets, "pipeline": streets["pipeline"][:1]})
    empty = write_set(tmp_path / "empty", [np.full(SIZE, 255, np.uint8)] * 2)
    with raises("E-data-empty", "no pixel of 2 masks"):
        build(empty)
