"""A predictor without a model: bright pixels are sky, dark pixels are road."""

import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

CLASSES, PALETTE = ("road", "sky"), [[128, 64, 128], [70, 130, 180]]


class Prediction(NamedTuple):
    """The same as in `semseg.inference.prediction`, which needs PyTorch."""

    train_ids: np.ndarray
    confidence: np.ndarray | None
    probabilities: np.ndarray | None
    doubt: np.ndarray | None = None
    entropy: np.ndarray | None = None
    mass: np.ndarray | None = None


class Brightness:
    classes, palette, exif, notes = CLASSES, PALETTE, "apply", ()
    bits = bands = None
    tile, has_probabilities, gives_all_probabilities = None, True, True

    def __init__(self, seconds=0.0):
        self.seconds, self.batches = seconds, []

    def predict(self, images, *, confidence=False, probabilities=False):
        time.sleep(self.seconds)
        self.batches.append([image.shape[:2] for image in images])
        found = []
        for image in images:
            grey = image.mean(axis=2)
            sky = (grey / 255).astype(np.float16)
            sure = (np.maximum(grey, 255 - grey) / 255).astype(np.float32) if confidence else None
            likely = np.stack([1 - sky, sky]) if probabilities else None
            found.append(Prediction((grey > 127).astype(np.uint8), sure, likely))
        return found


def save(path, width=48, height=32, color=(200, 200, 200), **options):
    """Write an image whose lower half is black."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2] = color
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **options)
    return path


def main(folder, out_dir, seconds, *flags):
    """Segment a folder in a process of its own."""
    from semseg.cli.program import run_tool
    from semseg.inference import Outputs, find_images, infer

    def segment():
        outputs = Outputs(Path(out_dir), CLASSES, PALETTE)
        infer(Brightness(float(seconds)), find_images(folder), outputs, skip_existing="--skip-existing" in flags)
        if "--memory" in flags:
            print(peak_mb())

    run_tool(segment)


def peak_mb():
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
