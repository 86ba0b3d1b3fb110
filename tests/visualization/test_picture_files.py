"""Pictures for people."""

import numpy as np
import pytest
from PIL import Image

from semseg.visualization.picture_files import save_jpeg, save_picture


def test_thin_coloured_lines_keep_their_colour(tmp_path):
    picture = np.full((32, 32, 3), 128, np.uint8)
    picture[:, ::4] = (255, 0, 0)
    save_jpeg(picture, tmp_path / "sub/lines.jpg")
    saved = np.asarray(Image.open(tmp_path / "sub/lines.jpg")).astype(int)
    assert np.abs(saved - picture).max() < 40
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["lines.jpg"]


def test_a_grey_picture_is_saved_too(tmp_path):
    save_jpeg(np.full((8, 8), 200, np.uint8), tmp_path / "grey.jpg")
    assert Image.open(tmp_path / "grey.jpg").mode == "L"


def test_the_suffix_is_the_format_and_an_unknown_one_is_refused(tmp_path):
    picture = np.full((8, 8, 3), 200, np.uint8)
    save_picture(picture, tmp_path / "a.PNG")
    save_picture(picture, tmp_path / "a.webp", quality=50)
    assert Image.open(tmp_path / "a.PNG").format == "PNG"
    assert Image.open(tmp_path / "a.webp").format == "WEBP"
    with pytest.raises(ValueError, match=r"unknown file extension: \.xyz"):
        save_picture(picture, tmp_path / "a.xyz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.PNG", "a.webp"]
