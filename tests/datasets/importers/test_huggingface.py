"""Sets that Hugging Face's datasets saved to the disk; the files are written here as `save_to_disk` writes them."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.importers import Request, plan
from semseg.labels import IGNORED
from tests.conftest import raises
from tests.datasets.importers.published import RANDOM, SHAPE, columns, read_back

pa = pytest.importorskip("pyarrow")
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
LISTS = pa.list_(pa.list_(pa.uint8()))
CLASSES = {"_type": "ClassLabel", "names": ["sky", "road", "car"]}
NAMED = {"_type": "Sequence", "feature": {"_type": "Sequence", "feature": CLASSES}}
PHOTO = RANDOM.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)


def encode(pixels, kind="PNG", **how):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **how)
    return {"bytes": content.getvalue(), "path": None}


def photos(number):
    pictures = RANDOM.integers(0, 256, (number, *SHAPE, 3)).astype(np.uint8)
    return [encode(pixels, ("JPEG", "PNG")[index % 2]) for index, pixels in enumerate(pictures)]


def save(folder, types, features, *batches):
    """Write one Arrow stream per batch of rows, state.json and dataset_info.json."""
    folder.mkdir(parents=True)
    schema = pa.schema(list(types.items()))
    files = [f"data-{index:05d}-of-{len(batches):05d}.arrow" for index in range(len(batches))]
    for name, rows in zip(files, batches, strict=True):
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(pa.table(rows, schema=schema))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in files]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))


@pytest.fixture
def saved(tmp_path):
    """train: two files of two images and one; validation: one; images and masks are PNG or JPEG files in cells."""
    features = {name: {"_type": "Image"} for name in ("image", "label")}
    masks = [encode(columns(0, 1, 2)), encode(columns(2, 1, 0)), encode(columns(1, 255))]
    types = {"image": IMAGE, "label": IMAGE, "id": pa.int64()}
    rows = [{"image": photos(len(m)), "label": m, "id": [*range(len(m))]} for m in (masks[:2], masks[2:], masks[:1])]
    save(tmp_path / "saved/train", types, features, *rows[:2])
    save(tmp_path / "saved/validation", types, features, rows[2])
    (tmp_path / "saved/dataset_dict.json").write_text(json.dumps({"splits": ["train", "validation", "extra"]}))
    (tmp_path / "classes.txt").write_text("sky\nroad\ncar\n")
    return tmp_path


def imported(root, **more):
    done = plan(Request("huggingface", root / "saved", root / "out", **more))
    done.write()
    return (done, *read_back(root / "out"))


def test_images_are_written_as_they_are_and_masks_as_train_ids(saved):
    plan, dataset, splits = imported(saved, classes=str(saved / "classes.txt"))
    assert dataset.classes == ("sky", "road", "car")
    assert splits == {
        "train": {"000000": [0, 1, 2, 2, 2, 2], "000001": [2, 1, 0, 0, 0, 0], "000002": [1] + [IGNORED] * 5},
        "val": {"000000": [0, 1, 2, 2, 2, 2]},
    }
    assert plan.notes == ("left out: the splits extra",)
    for index, image in enumerate(image for image in plan.found.images if image.split == "train"):
        path = saved / f"out/images/train/00000{index}{('.jpg', '.png', '.jpg')[index]}"
        assert path.read_bytes() == image.embedded.read()


def test_sets_without_names_ask_for_classes_and_list_the_values(saved):
    with raises(
        "E-input-required", r"give `classes`, .* the first masks hold 0 \(20 px\), 2 \(20 px\), 255 \(20 px\), 1 "
    ):
        imported(saved)
    (saved / "classes.txt").write_text("sky\nroad\n")
    with raises("E-data-mask-values", r"1 value is not in the 2 classes of .*: 2 \(36 px in 3 of 4 masks\)"):
        imported(saved, classes=str(saved / "classes.txt"))
    _, _, splits = imported(saved, classes=str(saved / "classes.txt"), label_map=("2=ignore",))
    assert splits["val"]["000000"] == [0, 1] + [IGNORED] * 4


@pytest.mark.parametrize(
    "lists", [LISTS, pa.large_list(pa.list_(pa.int64())), pa.list_(pa.list_(pa.int32(), SHAPE[1]))]
)
def test_nested_lists_are_masks_and_their_features_name_the_classes(tmp_path, lists):
    rows = {"photo": photos(2), "semantic": [columns(0, 1, 2).tolist(), columns(1, 2).tolist()]}
    features = {"photo": {"_type": "Image"}, "semantic": NAMED}
    save(tmp_path / "saved", {"photo": IMAGE, "semantic": lists}, features, rows)
    _, dataset, splits = imported(tmp_path)
    assert dataset.classes == ("sky", "road", "car")
    assert splits == {"train": {"000000": [0, 1, 2, 2, 2, 2], "000001": [1, 2, 2, 2, 2, 2]}}


def test_columns_that_are_not_clear_are_asked_for(tmp_path):
    types = dict.fromkeys(("left", "right", "truth"), IMAGE)
    rows = {name: photos(1) for name in ("left", "right")} | {"truth": [encode(columns(0, 1))]}
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    save(tmp_path / "saved", types, {}, rows)
    with raises("E-input-required", "which column holds the images.* give `image_column`; it has left .struct"):
        imported(tmp_path)
    with raises("E-input-required", "which column holds the masks.* give `label_column`"):
        imported(tmp_path, image_column="left")
    with raises("E-input-value", "`label_column` lable: .* expected left or right or truth"):
        imported(tmp_path, image_column="left", label_column="lable")
    _, _, splits = imported(tmp_path, image_column="right", label_column="truth", classes=str(tmp_path / "classes.txt"))
    assert splits == {"train": {"000000": [0, 1, 1, 1, 1, 1]}}


def test_coloured_masks_are_read_with_the_colours_of_the_class_list(tmp_path):
    mask = np.array([[(255, 0, 0), (0, 0, 255)] * 3] * SHAPE[0], np.uint8)
    save(tmp_path / "saved", {"image": IMAGE, "mask": IMAGE}, {}, {"image": photos(1), "mask": [encode(mask)]})
    with raises("E-input-required", r"its colour; the first masks hold (#ff0000|#0000ff) \(12 px\)"):
        imported(tmp_path)
    (tmp_path / "classes.txt").write_text("roof #ff0000\nwater #0000ff\n")
    _, _, splits = imported(tmp_path, classes=str(tmp_path / "classes.txt"))
    assert splits == {"train": {"000000": [0, 1] * 3}}


def test_a_cell_that_holds_only_a_path_is_read_from_the_file(tmp_path):
    rows = {"image": [{"bytes": None, "path": "a.jpg"}], "mask": [columns(0, 1).tolist()]}
    save(tmp_path / "saved", {"image": IMAGE, "mask": LISTS}, {"mask": NAMED}, rows)
    with raises("E-data-missing", r"row 0 of image is not in the file, only its path .*a\.jpg"):
        imported(tmp_path)
    (tmp_path / "saved/a.jpg").write_bytes(encode(PHOTO, "JPEG")["bytes"])
    _, _, splits = imported(tmp_path)
    assert splits == {"train": {"000000": [0, 1, 1, 1, 1, 1]}}


def test_rows_that_cannot_be_used_are_counted(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encode(PHOTO.transpose(1, 0, 2).copy(), "JPEG", exif=exif)
    small = columns(0, 1)[:2].tolist()
    rows = {
        "image": [*photos(2), {"bytes": b"no image", "path": None}, None, turned, photos(1)[0]],
        "mask": [columns(0, 1).tolist(), small, small, small, columns(1, 2).tolist(), None],
    }
    save(tmp_path / "saved", {"image": IMAGE, "mask": LISTS}, {"mask": NAMED}, rows)
    with raises("E-data-images", r"2 of 6 images .*row 1 mask: mask of 6x2, its image 6x4"):
        imported(tmp_path)
    plan, dataset, splits = imported(tmp_path, skip_broken=True)
    assert splits == {"train": {"000000": [0, 1, 1, 1, 1, 1], "000004": [1, 2, 2, 2, 2, 2]}}
    assert dataset.exif == "apply"
    assert any(note.startswith("left out: 2 rows without image or mask, first row 3 of") for note in plan.notes)


def test_wrong_folders_and_files_are_errors(saved, tmp_path):
    with raises("E-data-missing", r"expected dataset_dict\.json or state\.json, .*; it holds a"):
        (tmp_path / "other/a").mkdir(parents=True)
        plan(Request("huggingface", tmp_path / "other", tmp_path / "out"))
    arrow = saved / "saved/train/data-00000-of-00002.arrow"
    arrow.write_bytes(b"not arrow")
    with raises("E-data-unreadable", "is not an Arrow stream"):
        imported(saved)
    arrow.unlink()
    with raises("E-data-missing", r"no file .*data-00000-of-00002\.arrow"):
        imported(saved)
    (saved / "saved/train/state.json").unlink()
    with raises("E-data-missing", r"no .*state\.json"):
        imported(saved)
