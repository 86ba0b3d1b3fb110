"""Drawn drives: frames of a drive are views of one panorama, a few pixels apart."""

import numpy as np
from PIL import Image

SIZE = (72, 64)  # width, height


def frame(drive, number, step=2):
    """Return frame `number` of a drive, which begins `step` pixels after the one before.

    Args:
        drive: seed of the panorama.
        number: of the frame, 0 to 99.
        step: pixels between frames.
    """
    small = np.random.default_rng(drive).integers(0, 255, (8, 40, 3), np.uint8)
    panorama = Image.fromarray(small).resize((400, SIZE[1]), Image.Resampling.BICUBIC)
    return panorama.crop((number * step, 0, number * step + SIZE[0], SIZE[1]))


def other(seed):
    """Return a picture of nothing that another one shows."""
    return frame(1000 + seed, 0)


def exif(taken=None, place=None, camera="X"):
    """Return EXIF data as bytes.

    Args:
        taken: such as `2024:05:01 12:00:00`.
        place: latitude and longitude in degrees.
        camera: the model.
    """
    data = Image.Exif()
    data[0x0110] = camera
    if taken is not None:
        data.get_ifd(0x8769)[0x9003] = taken
    if place is not None:
        gps = data.get_ifd(0x8825)
        for tag, letters, value in ((1, "NS", place[0]), (3, "EW", place[1])):
            seconds = round(abs(value) * 3600, 4)
            gps[tag] = letters[value < 0]
            gps[tag + 1] = (float(seconds // 3600), float(seconds % 3600 // 60), seconds % 60)
    return data.tobytes()
