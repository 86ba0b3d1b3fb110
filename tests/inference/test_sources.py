from pathlib import Path

import pytest

from semseg.inference import find_images


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_folders_are_walked_in_natural_order_and_foreign_files_left_out(tmp_path):
    touch(tmp_path, "img10.jpg", "img2.JPG", "sub/a.png", "notes.txt", ".hidden.png", ".cache/b.png", "._img2.jpg")
    assert [str(image.name) for image in find_images(tmp_path)] == ["img2", "img10", "sub/a"]


def test_a_single_image_is_named_after_itself(tmp_path):
    touch(tmp_path, "street.v2.jpeg")
    assert [image.name for image in find_images(tmp_path / "street.v2.jpeg")] == [Path("street.v2")]


def test_wrong_inputs_say_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no image or folder .*none"):
        find_images(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"no image in .* \(it is empty\); expected \.jpg"):
        find_images(tmp_path)
    touch(tmp_path, "a.txt")
    with pytest.raises(FileNotFoundError, match=r"found only \.txt"):
        find_images(tmp_path)
    with pytest.raises(ValueError, match=r"a\.txt is not an image; expected one of \.jpg"):
        find_images(tmp_path / "a.txt")


def test_two_images_that_would_write_one_mask_are_an_error(tmp_path):
    touch(tmp_path, "a.jpg", "a.png")
    with pytest.raises(ValueError, match=r"a\.jpg and .*a\.png would both write a\.png; rename one of them"):
        find_images(tmp_path)
