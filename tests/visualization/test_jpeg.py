"""Pictures for people."""

import numpy as np
from PIL import Image

from semseg.visualization.picture_files import save_jpeg


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
