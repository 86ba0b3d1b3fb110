import re

import pytest
import yaml

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.pairs import find_pairs
from tests.conftest import raises


def write(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def pairing_of(root, split=None, **more):
    content = {"splits": {"train": split or {"images": "photos", "masks": "annotation"}}, "encoding": "ids"}
    (root / "dataset.yaml").write_text(yaml.safe_dump(content | {"classes": ["a", "b"]} | more))
    return find_pairs(read_dataset_file(root / "dataset.yaml"), "train")


def relative(root, paths):
    return [
        tuple(p.relative_to(root).as_posix() for p in path if p is not None)
        if isinstance(path, tuple)
        else path.relative_to(root).as_posix()
        for path in paths
    ]


def test_images_and_masks_pair_by_folder_and_name_without_suffix(tmp_path):
    write(tmp_path, "photos/a.jpg", "photos/b.JPG", "photos/city/a.jpeg")
    write(tmp_path, "annotation/a_mask.png", "annotation/b_MASK.png", "annotation/city/a_mask.png")
    pairing = pairing_of(tmp_path, image_suffix=[".jpg", ".jpeg"], mask_suffix="_mask.png")
    assert relative(tmp_path, pairing.pairs) == [
        ("photos/a.jpg", "annotation/a_mask.png"),
        ("photos/b.JPG", "annotation/b_MASK.png"),
        ("photos/city/a.jpeg", "annotation/city/a_mask.png"),
    ]
    assert pairing.images_without_mask == pairing.masks_without_image == pairing.ignored_files == ()


def test_files_without_partner_are_listed_and_hidden_files_are_not(tmp_path):
    write(tmp_path, "photos/a.jpg", "photos/b.jpg", "photos/notes.txt", "photos/._a.jpg", "photos/.trash/d.jpg")
    write(tmp_path, "annotation/a.png", "annotation/c.png", "annotation/Thumbs.db")
    pairing = pairing_of(tmp_path)
    assert relative(tmp_path, pairing.pairs) == [("photos/a.jpg", "annotation/a.png")]
    assert relative(tmp_path, pairing.images_without_mask) == ["photos/b.jpg"]
    assert relative(tmp_path, pairing.masks_without_image) == ["annotation/c.png"]
    assert relative(tmp_path, pairing.ignored_files) == ["annotation/Thumbs.db", "photos/notes.txt"]


def test_images_and_masks_may_share_a_folder_or_lie_in_each_other(tmp_path):
    write(tmp_path, "x/a.png", "x/a_mask.png", "x/b.png", "x/b_mask.png")
    suffixes = {"image_suffix": ".png", "mask_suffix": "_mask.png"}
    pairing = pairing_of(tmp_path, {"images": "x", "masks": "x"}, **suffixes)
    assert relative(tmp_path, pairing.pairs) == [("x/a.png", "x/a_mask.png"), ("x/b.png", "x/b_mask.png")]
    write(tmp_path, "y/a.png", "y/masks/a.png")
    pairing = pairing_of(tmp_path, {"images": "y", "masks": "y/masks"}, image_suffix=".png")
    assert relative(tmp_path, pairing.pairs) == [("y/a.png", "y/masks/a.png")]
    assert pairing.images_without_mask == ()


def test_a_list_names_the_pairs(tmp_path):
    write(tmp_path, "p/a.jpg", "m/other name.png")
    (tmp_path / "list.csv").write_text('image,mask\n# chosen by hand\n\np/a.jpg, "m/other name.png"\n')
    pairing = pairing_of(tmp_path, {"pairs": "list.csv"})
    assert relative(tmp_path, pairing.pairs) == [("p/a.jpg", "m/other name.png")]


def test_a_list_with_a_mistake_names_its_line(tmp_path):
    write(tmp_path, "a.jpg")
    with raises("E-data-missing", r"list\.csv"):
        pairing_of(tmp_path, {"pairs": "list.csv"})
    (tmp_path / "list.csv").write_text("a.jpg;a.png\n")
    with raises("E-data-pairs", r"list\.csv line 1: .*'a\.jpg;a\.png'"):
        pairing_of(tmp_path, {"pairs": "list.csv"})
    (tmp_path / "list.csv").write_text("a.jpg,a.png\nb.jpg,b.png\n")
    with raises("E-data-missing", r"line 1: no file .*a\.png \(3 files"):
        pairing_of(tmp_path, {"pairs": "list.csv"})
    (tmp_path / "list.csv").write_text("image,mask\n")
    with raises("E-data-pairs", r"list\.csv"):
        pairing_of(tmp_path, {"pairs": "list.csv"})


def test_missing_splits_folders_and_suffixes_are_named(tmp_path):
    with raises("E-data-missing", r"photos; .*\.yaml .*splits\.train\.images"):
        pairing_of(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "annotation").mkdir()
    with raises("E-data-pairs", r"photos .*\.jpg \(it is empty\); set image_suffix"):
        pairing_of(tmp_path, image_suffix=".jpg")
    write(tmp_path, "photos/a.png", "photos/b.png", "photos/c.JPEG", "annotation/a.bmp")
    with raises("E-data-pairs", re.escape(".jpg or .tif (found 2 .png, 1 .JPEG)")):
        pairing_of(tmp_path, image_suffix=[".jpg", ".tif"])
    with raises("E-data-pairs", r"annotation .*\.png \(found 1 \.bmp\); set mask_suffix"):
        pairing_of(tmp_path)
    rules = read_dataset_file(tmp_path / "dataset.yaml")
    with raises("E-data-split", r"dataset\.yaml .*'val', only train"):
        find_pairs(rules, "val")


def test_two_images_of_one_name_are_refused(tmp_path):
    write(tmp_path, "photos/a.jpg", "photos/a.png", "annotation/a.png")
    with raises("E-data-pairs", r"a\.jpg and .*a\.png"):
        pairing_of(tmp_path)


def test_linked_folders_are_followed_and_a_loop_ends(tmp_path):
    write(tmp_path, "photos/a/1.jpg", "annotation/a/1.png", "elsewhere/p/2.jpg", "elsewhere/m/2.png")
    (tmp_path / "photos/b").symlink_to(tmp_path / "elsewhere/p")
    (tmp_path / "annotation/b").symlink_to(tmp_path / "elsewhere/m")
    (tmp_path / "photos/a/loop").symlink_to(tmp_path / "photos")
    pairs = relative(tmp_path, pairing_of(tmp_path).pairs)
    assert pairs == [("photos/a/1.jpg", "annotation/a/1.png"), ("photos/b/2.jpg", "annotation/b/2.png")]


def test_a_folder_of_masks_that_is_linked_among_the_images_holds_no_images(tmp_path):
    write(tmp_path, "photos/1.png", "annotation/1.png")
    (tmp_path / "photos/masks").symlink_to(tmp_path / "annotation")
    pairing = pairing_of(tmp_path, image_suffix=".png")
    assert relative(tmp_path, pairing.pairs) == [("photos/1.png", "annotation/1.png")]
    assert pairing.images_without_mask == ()


def test_both_spellings_of_an_accent_are_one_name(tmp_path):
    composed, decomposed = "ni\u00f1o", "nin\u0303o"
    write(tmp_path, f"photos/{decomposed}/1.jpg", f"annotation/{composed}/1.png")
    assert len(pairing_of(tmp_path).pairs) == 1
    (tmp_path / "pairs.csv").write_text(f"photos/{composed}/1.jpg,annotation/{decomposed}/1.png\n")
    (pair,) = pairing_of(tmp_path, {"pairs": "pairs.csv"}).pairs
    assert pair.image_path.is_file()
    assert pair.mask_path.is_file()


def test_a_suffix_may_be_the_whole_name_of_a_file(tmp_path):
    write(tmp_path, "x/0001/image.jpg", "x/0001/mask.png", "x/0002/image.jpg", "x/0002/mask.png")
    pairing = pairing_of(tmp_path, {"images": "x", "masks": "x"}, image_suffix="image.jpg", mask_suffix="mask.png")
    assert relative(tmp_path, pairing.pairs) == [(f"x/000{n}/image.jpg", f"x/000{n}/mask.png") for n in (1, 2)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_list_of_windows_names_all_its_pairs(tmp_path, encoding):
    write(tmp_path, "photos/#x.jpg", "photos/b.jpg", "annotation/x.png", "annotation/b.png")
    lines = "# chosen by hand\r\nphotos\\b.jpg,annotation\\b.png\r\n".encode(encoding)
    (tmp_path / "pairs.csv").write_bytes(lines)
    expected = [("photos/b.jpg", "annotation/b.png")]
    assert relative(tmp_path, pairing_of(tmp_path, {"pairs": "pairs.csv"}).pairs) == expected


def test_a_list_may_name_files_that_begin_with_a_hash(tmp_path):
    write(tmp_path, "#x.jpg", "#x.png")
    (tmp_path / "pairs.csv").write_text("#x.jpg,#x.png\n# the end\n")
    pairs = relative(tmp_path, pairing_of(tmp_path, {"pairs": "pairs.csv"}).pairs)
    assert pairs == [("#x.jpg", "#x.png")]


def test_a_region_of_interest_belongs_to_the_photograph_of_its_name(tmp_path):
    write(tmp_path, "photos/a.jpg", "photos/b.jpg", "annotation/a.png", "annotation/b.png")
    write(tmp_path, "annotation/view/a_view.gif", "annotation/view/c_view.gif")
    split = {"images": "photos", "masks": "annotation", "roi": "annotation/view"}
    pairing = pairing_of(tmp_path, split, roi_suffix="_view.gif")
    assert relative(tmp_path, pairing.pairs) == [("photos/a.jpg", "annotation/a.png", "annotation/view/a_view.gif")]
    assert relative(tmp_path, pairing.images_without_roi) == ["photos/b.jpg"]
    assert relative(tmp_path, pairing.rois_without_image) == ["annotation/view/c_view.gif"]
    assert pairing.masks_without_image == pairing.ignored_files == ()
    with raises("E-data-pairs", r"annotation/view ends with \.png \(found 2 \.gif\); set roi_suffix"):
        pairing_of(tmp_path, split)
    with raises("E-data-missing", "splits.train.roi"):
        pairing_of(tmp_path, split | {"roi": "elsewhere"})


def test_photographs_masks_and_regions_may_share_a_folder(tmp_path):
    write(tmp_path, *(f"x/{name}{end}" for name in "ab" for end in (".png", "_mask.png", "_roi.png")))
    split = dict.fromkeys(("images", "masks", "roi"), "x")
    pairing = pairing_of(tmp_path, split, image_suffix=".png", mask_suffix="_mask.png", roi_suffix="_roi.png")
    assert relative(tmp_path, pairing.pairs) == [
        (f"x/{name}.png", f"x/{name}_mask.png", f"x/{name}_roi.png") for name in "ab"
    ]


@pytest.mark.parametrize("header", ["image,mask,roi\n", ""])
def test_a_list_has_regions_in_its_third_column(tmp_path, header):
    write(tmp_path, "a.jpg", "a.png", "a_roi.png", "b.jpg", "b.png", "b_roi.png")
    (tmp_path / "list.csv").write_text(f"{header}a.jpg,a.png,a_roi.png\nb.jpg,b.png,b_roi.png\n")
    pairing = pairing_of(tmp_path, {"pairs": "list.csv"})
    assert relative(tmp_path, pairing.pairs) == [("a.jpg", "a.png", "a_roi.png"), ("b.jpg", "b.png", "b_roi.png")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg,a.png,a_roi.png\nb.jpg,b.png\n", "line 2: expected image,mask,roi, found 'b.jpg,b.png'.*or none has"),
        ("a.jpg,a.png\nb.jpg,b.png,b_roi.png\n", "line 2: expected image,mask, found.*or none has"),
        ("image,mask,roi\na.jpg,a.png,\n", "line 2: expected image,mask,roi, found 'a.jpg,a.png,'"),
        ("a.jpg,a.png,a_roi.png,x\n", "line 1: expected image,mask, found 'a.jpg,a.png,a_roi.png,x'"),
    ],
)
def test_in_one_list_all_photographs_have_a_region_or_none_has(tmp_path, text, message):
    write(tmp_path, "a.jpg", "a.png", "a_roi.png", "b.jpg", "b.png", "b_roi.png")
    (tmp_path / "list.csv").write_text(text)
    with raises("E-data-pairs", message):
        pairing_of(tmp_path, {"pairs": "list.csv"})


def test_regions_beside_a_list_are_refused(tmp_path):
    with raises("E-data-yaml", "splits.train: roi has no effect beside pairs"):
        pairing_of(tmp_path, {"pairs": "list.csv", "roi": "roi"})
