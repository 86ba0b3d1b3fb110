"""Sets that a config describes without a dataset.yaml."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from semseg.checks.config import check_config
from tests.checks.sets import CLASSES, plain_config, train_ids, write_set
from tests.conftest import raises


@pytest.fixture
def x(tmp_path, monkeypatch):
    """A healthy set in `x`, from the folder above."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    return write_set(tmp_path / "x").parent.relative_to(tmp_path)


def lines(cfg, *splits):
    return [f"{finding.kind} {finding.line()}" for finding in check_config(cfg, splits).findings]


def test_a_healthy_set_gives_no_finding_and_what_two_loaders_read_is_read_once(x):
    report = check_config(plain_config(x))
    assert report.findings == ()
    assert (report.splits, report.num_read) == ({"train": 4, "val": 2}, 12)


def test_the_suffix_that_would_have_matched_is_named(x):
    assert lines(plain_config(x, img_suffix=".jpg"), "train") == [
        "error train: 0 images end with '.jpg' under x/images/train (found: 4 .png);"
        " set train_dataloader.dataset.img_suffix"
    ]
    assert lines(plain_config(x, seg_map_suffix="_mask.png"), "val") == [
        "error val: all 2 images have no mask, first x/images/val/00.png; with"
        " val_dataloader.dataset.img_suffix"
        " '.png' and seg_map_suffix '.png' 2 of them would match; set these"
    ]


def test_a_missing_folder_names_the_setting(x):
    assert lines(plain_config("y"), "train") == [
        "error train: no folder y; set train_dataloader.dataset.data_root to the folder of the set"
    ]
    assert lines(plain_config("x", data_prefix={"img_path": "imgs", "seg_map_path": "masks"}), "train") == [
        "error train: no folder x/imgs; x holds dataset.yaml, images, masks;"
        " set train_dataloader.dataset.data_prefix.img_path"
    ]


def test_missing_cityscapes_names_download_and_converter(x):
    dataset = {
        "type": "CityscapesDataset",
        "data_root": "data/cityscapes",
        "pipeline": [],
        "data_prefix": {"img_path": "leftImg8bit/val", "seg_map_path": "gtFine/val"},
    }
    cfg = Config({"test_dataloader": {"dataset": dataset}})
    assert lines(cfg) == [
        "error test: no folder data/cityscapes; run python tools/dataset.py download-cityscapes"
        " data/cityscapes, then"
        " python tools/convert_datasets/cityscapes.py data/cityscapes"
    ]


def test_a_list_of_names_is_followed(x):
    (x / "names.txt").write_text("00\n07\n")
    assert lines(plain_config(x, ann_file="names.txt"), "train") == [
        "error train: 1 of 2 images have no mask, first x/images/train/07.png; label them, or list the"
        " names to use in"
        " train_dataloader.dataset.ann_file"
    ]


def test_strange_values_name_a_dataset_file(x):
    values = train_ids()
    values[1, :3] = 9
    Image.fromarray(values).save(x / "masks/train/01.png")
    assert lines(plain_config(x), "train") == [
        "error train: 1 of 4 masks hold values outside 0..2 and 255, worst x/masks/train/01.png {9: 3 px};"
        " describe the"
        " set in a dataset.yaml, with a label_map for these values, and pass it as `data`"
    ]


def test_reduce_zero_label_counts_from_one(x):
    for number in range(4):
        values = train_ids(number)
        Image.fromarray(np.where(values == 255, 0, values + 1).astype(np.uint8)).save(
            x / f"masks/train/{number:02}.png"
        )
    assert lines(plain_config(x, reduce_zero_label=True), "train") == []
    assert "{3: " in lines(plain_config(x), "train")[0]


def test_colour_masks_name_the_import(x):
    Image.fromarray(train_ids()).convert("RGB").save(x / "masks/val/00.png")
    assert lines(plain_config(x), "val") == [
        "error val: 1 of 2 masks are RGB where an index image is expected, first x/masks/val/00.png (RGB, 4"
        " colours); run"
        " python tools/dataset.py import colors x/masks/val --images x/images/val --classes FILE --split"
        " val --out DIR"
    ]


def test_a_wrapped_dataset_file_is_checked_too(x):
    cfg = plain_config(x)
    inner = {"type": "FolderSegDataset", "dataset_file": "x/dataset.yaml", "split": "val", "pipeline": []}
    cfg.train_dataloader.dataset = {"type": "RepeatDataset", "times": 2, "dataset": inner}
    (x / "masks/val/00.png").write_bytes(b"")
    assert lines(cfg, "train") == [
        "error train: 1 of 4 files cannot be read: x/masks/val/00.png (zero bytes); copy them again, or"
        " remove these pairs"
    ]


def test_a_config_without_that_dataloader_is_refused(x):
    with raises("E-data-dataloader", "train"):
        check_config(Config({}), ["train"])


# classes


def test_train_and_val_of_other_classes(x):
    cfg = plain_config(x)
    cfg.val_dataloader.dataset.metainfo = {"classes": [*CLASSES[:2], "rider"], "palette": [[0, 0, 0]] * 3}
    assert lines(cfg)[0] == (
        "error train, val: x (train) and x (val) have other classes: only the first has sky;"
        " only the second has rider; give both the same list"
    )


def test_a_head_with_another_number_of_classes_is_an_error(x):
    cfg = plain_config(x)
    cfg.model.auxiliary_head[0].num_classes = 19
    assert lines(cfg) == ["error model.auxiliary_head.0.num_classes is 19, but x has 3 classes; set it to 3"]


def test_a_checkpoint_of_other_classes_can_be_loaded_but_not_resumed(x):
    cfg = plain_config(x)
    cfg.load_from = "x/before.pth"
    torch.save({"meta": {"dataset_meta": {"classes": CLASSES[::-1]}}, "state_dict": {}}, cfg.load_from)
    assert lines(cfg) == []
    cfg.resume = True
    assert lines(cfg) == [
        "error x/before.pth, which is resumed, and x have other classes: the same names in another order; start a"
        " new run from its weights, with `load_from`"
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("00\n01\n".encode("utf-8-sig"), "is UTF-16 or begins with a byte order mark, which MMSegmentation would take"),
        ("00\n01\n".encode("utf-16"), "is UTF-16 or begins with a byte order mark, which MMSegmentation would take"),
        (b"00\n\n01\n", "line 2 is empty; remove it"),
        (b"00\na\\01\n", "line 2 has back slashes; write / between folders"),
    ],
)
def test_a_list_that_mmsegmentation_would_misread_is_refused(x, content, sentence):
    (x / "names.txt").write_bytes(content)
    (line,) = lines(plain_config(x, ann_file="names.txt"), "train")
    assert line.startswith(f"error train: x/names.txt {sentence}")


def test_linked_folders_are_checked_as_mmsegmentation_reads_them_and_a_loop_is_named(x):
    for kind in ("images", "masks"):
        (x / kind / "train/more").symlink_to((x / kind / "val").resolve())
    report = check_config(plain_config(x), ["train"])
    assert (report.findings, report.splits) == ((), {"train": 6})
    (x / "images/train/loop").symlink_to((x / "images/train").resolve())
    assert lines(plain_config(x), "train") == [
        "error train: x/images/train holds a link that leads back into it; remove the link"
    ]
