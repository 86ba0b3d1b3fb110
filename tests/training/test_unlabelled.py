"""Images without mask that are one class everywhere: in training, counters, the gate, samples and splits."""

import numpy as np
import pytest
import yaml
from mmengine.registry import init_default_scope
from PIL import Image

from semseg.checks.dataset import check_dataset_file
from semseg.config.class_weights import count_config
from semseg.datasets import samples, statistics
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.pairs import find_pairs
from semseg.datasets.split import divide
from tests.datasets.test_labelled_dataset import build

PIPELINE = [{"type": "LoadImageFromFile"}, {"type": "LoadTrainIds"}, {"type": "PackSegInputs"}]
ROAD, CRACK = 0, 1


@pytest.fixture(autouse=True)
def names_are_those_of_mmsegmentation():
    init_default_scope("mmseg")  # as every run does; other tests may have set it or not


def write_set(root, **more):
    """Write three photographs, 12 wide and 8 high: the first has a mask of 24 px crack, the last is rotated by EXIF."""
    for folder in ("photos", "masks"):
        (root / folder).mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 12, 3), np.uint8)
    for number in (0, 1):
        Image.fromarray(pixels[number]).save(root / f"photos/{number}.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels[2]).save(root / "photos/2.jpg", exif=exif)
    mask = np.full((8, 12), ROAD, np.uint8)
    mask[:2] = CRACK
    Image.fromarray(mask).save(root / "masks/0.png")
    content = {
        "splits": {"train": {"images": "photos", "masks": "masks"}},
        "encoding": "ids",
        "classes": ["road", "crack"],
        "unlabelled": "road",
    }
    (root / "dataset.yaml").write_text(yaml.safe_dump(content | more))
    return root / "dataset.yaml"


@pytest.fixture
def path(tmp_path):
    return write_set(tmp_path / "x")


def test_an_image_without_mask_is_that_class_everywhere_and_is_rotated_by_exif(path):
    dataset = build(str(path), pipeline=PIPELINE)
    truths = [dataset[i]["data_samples"].gt_sem_seg.data[0].numpy() for i in range(len(dataset))]
    assert [truth.shape for truth in truths] == [(8, 12), (8, 12), (12, 8)]
    assert [int((truth == CRACK).sum()) for truth in truths] == [24, 0, 0]
    assert [int((truth == ROAD).sum()) for truth in truths] == [72, 96, 96]


def test_where_exif_is_ignored_the_size_is_that_of_the_stored_pixels(tmp_path):
    dataset = build(str(write_set(tmp_path / "y", exif="ignore")), pipeline=PIPELINE[1:2])
    assert dataset[2]["gt_seg_map"].shape == (8, 12)


def test_all_functions_that_count_classes_agree(path):
    from mmengine.config import Config
    from mmseg.registry import DATASETS

    counts = statistics.count_dataset_file(path, "train")
    assert counts.pixels.tolist() == [72 + 96 + 96, 24]
    data = {"type": "FolderSegDataset", "dataset_file": str(path), "split": "train"}
    cfg = Config({"train_dataloader": {"dataset": {**data, "pipeline": PIPELINE}}})
    assert count_config(cfg, "train", 1)[0].pixels.tolist() == counts.pixels.tolist()
    rare = DATASETS.build({"type": "RareClassDataset", "dataset": {**data, "pipeline": PIPELINE}, "min_pixels": 1})
    assert [holders.tolist() for holders in rare._holders] == [[0, 1, 2], [0]]


def test_the_check_reports_their_number(path):
    report = check_dataset_file(path)
    assert [finding.line() for finding in report.findings] == [
        f"train: 2 of 3 images have no mask and are road everywhere (unlabelled), first {path.parent}/photos/1.png"
    ]
    assert report.findings[0].kind == "note"
    (path.parent / "masks/0.png").unlink()
    (error,) = [finding for finding in check_dataset_file(path).findings if finding.kind == "error"]
    assert error.code == "nothing-to-learn"  # all are road


def test_masks_whose_names_do_not_fit_are_not_taken_for_unlabelled_images(path):
    (path.parent / "masks/0.png").rename(path.parent / "masks/0_mask.png")
    message = r"3 images have no mask, first .*0\.png, and 1 masks have no image, first .*0_mask\.png: if these belong"
    with pytest.raises(ValueError, match=message):
        build(str(path))
    (path.parent / "masks/0_mask.png").rename(path.parent / "masks/0.PGM")
    with pytest.raises(ValueError, match=r"no file in .*masks ends with \.png \(found 1 \.PGM\); set mask_suffix"):
        build(str(path))


def test_a_list_may_leave_the_mask_empty(tmp_path):
    path = write_set(tmp_path / "x", splits={"train": {"pairs": "train.csv"}})
    (path.parent / "train.csv").write_text("image,mask\nphotos/1.png,\nphotos/0.png,masks/0.png\n")
    pairs = find_pairs(read_dataset_file(path), "train").pairs
    assert [pair.mask_path and pair.mask_path.name for pair in pairs] == [None, "0.png"]
    path.write_text(path.read_text().replace("unlabelled: road\n", ""))
    with pytest.raises(ValueError, match=r"line 2: expected image,mask, found 'photos/1\.png,'; name its mask"):
        find_pairs(read_dataset_file(path), "train")


def test_samples_and_splits_include_them(path):
    shown = samples.from_dataset_file(path, "train", 3).samples
    assert [sample.train_ids.max() for sample in shown] == [CRACK, ROAD, ROAD]
    new = divide(path, {"train": 0.7, "val": 0.3}, r"regex:\d").write(path.parent / "parted")
    rules = read_dataset_file(new)
    pairs = [pair for split in rules.splits for pair in find_pairs(rules, split).pairs]
    is_unlabelled = {pair.image_path.name: pair.mask_path is None for pair in pairs}
    assert is_unlabelled == {"0.png": False, "1.png": True, "2.jpg": True}
    assert len(pairs) == 3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("rode", r"unlabelled: 'rode' is no class; did you mean 'road'\?"),
        ("ignore", "unlabelled: ignore: "),
    ],
)
def test_unlabelled_has_to_name_a_class(tmp_path, value, message):
    with pytest.raises(ValueError, match=message):
        read_dataset_file(write_set(tmp_path / "x", unlabelled=value))
