import json

import numpy as np
import pytest

from semseg.errors import InvalidDataError
from semseg.planning.fingerprint import take_fingerprint
from tests.planning.drawn_sets import WIDTHS, squares, stripes, write_set

NAMES = ["ground", *(f"stripe{width}" for width in WIDTHS)]


def groups(rules, pairs):
    return "picture", {str(pair.image_path): 1 for pair in pairs}


def test_a_set_of_stripes_has_their_widths_and_shares(tmp_path):
    path = write_set(tmp_path, [stripes()] * 3, NAMES)
    fingerprint = take_fingerprint(path, groups)
    assert [figures.width_px for figures in fingerprint.classes[1:]] == list(WIDTHS)
    assert [figures.narrow_width_px for figures in fingerprint.classes[1:]] == list(WIDTHS)
    assert [figures.pixel_share * 120 for figures in fingerprint.classes[1:]] == pytest.approx(list(WIDTHS))
    assert fingerprint.num_pictures == {"train": 3, "val": 3}
    assert fingerprint.size == (120, 120)
    assert fingerprint.top_bottom == 0  # a stripe looks the same from below
    assert fingerprint.left_right > 0.5
    assert fingerprint.turn > 0.5


def test_the_same_set_has_the_same_fingerprint_and_it_is_json(tmp_path):
    path = write_set(tmp_path, squares(), ["ground", "square"])
    first, second = (take_fingerprint(path, groups).to_plain_data() for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
    assert first["classes"][1]["object_area_px"] == 24 * 24
    assert first["classes"][1]["size_spread"] == 1


def test_a_set_without_labels_is_refused(tmp_path):
    path = write_set(tmp_path, [np.full((16, 16), 255, np.uint8)], ["ground", "square"])
    with pytest.raises(InvalidDataError, match="nothing can be learned"):
        take_fingerprint(path, groups)
