"""Index masks whose palettes disagree."""

import numpy as np
from PIL import Image

from tests.checks.sets import check_set, mask_of, train_ids, write_set

RED, GREEN, BLUE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)


def save_with(path, values, colors):
    picture = Image.fromarray(values)
    picture.putpalette(np.resize([*colors, *[BLACK] * (256 - len(colors))], (256, 3)).astype(np.uint8).tobytes())
    picture.save(path)


def test_the_same_colour_under_different_numbers_is_an_error(here):
    path = write_set(here, {"train": 4, "val": 2})
    for split, count in (("train", 4), ("val", 2)):
        for number in range(count):
            colors = [RED, BLUE, GREEN] if (split, number) in (("train", 1), ("val", 0)) else [RED, GREEN, BLUE]
            save_with(mask_of(path, number, split), train_ids(number), colors)
    assert check_set(path) == {
        "palettes": "error train, val: palettes of 2 of 6 masks differ from those of the others, first"
        " x/masks/train/01.png (#0000ff is 1 there and 2 elsewhere) and 1 more: the colours tell the classes, not the"
        " numbers; set encoding: palette in x/dataset.yaml, with the colour of every class"
    }


def test_one_number_with_two_colours_is_a_warning(here):
    path = write_set(here, {"train": 2}, classes=["road", "car"])
    for number, color in enumerate((GREEN, BLUE)):
        save_with(mask_of(path, number), train_ids(number, num_classes=2) % 2, [RED, color])
    assert check_set(path) == {
        "palette-colours": "warning train: palettes of 1 of 2 masks give other colours to the same numbers, first"
        " x/masks/train/01.png (1 is #0000ff there and #00ff00 in x/masks/train/00.png): if the colours tell the"
        " classes, set encoding: palette"
    }


def test_equal_palettes_grey_ramps_and_unused_entries_are_fine(here):
    path = write_set(here, {"train": 4})
    save_with(mask_of(path, 0), train_ids(0), [RED, GREEN, BLUE])
    save_with(mask_of(path, 1), train_ids(1), [RED, GREEN, BLUE, RED, GREEN])  # more entries than values
    save_with(mask_of(path, 2), train_ids(2), [(v, v, v) for v in range(256)])
    # the fourth mask is grey
    assert check_set(path) == {}
    few = np.zeros((32, 48), np.uint8)
    few[0, :5] = 255
    save_with(mask_of(path, 3), few, [RED])
    assert check_set(path) == {}
