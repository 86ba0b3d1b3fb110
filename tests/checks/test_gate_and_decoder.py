"""The gate refuses a mask exactly when the decoder, which reads it in training, does."""

import itertools

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.masks import decode_mask
from tests.checks.sets import SIZE, check_dataset_file, mask_of, write_set

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I", "CMYK", "F")
ENCODINGS = ("ids", "palette", "rgb")
COLORS = {"black": (0, 0, 0), "white": (255, 255, 255), "grey": (77, 77, 77)}
CLASSES = [{"name": name, "color": list(color)} for name, color in COLORS.items()]


def mask_in(mode, values):
    """A mask whose greys are the values; in colours the same greys, in palettes the positions of the classes."""
    ids = np.resize(np.array(values, np.uint8), SIZE[::-1])
    if mode == "I;16":
        return Image.fromarray(ids.astype(np.uint16))
    if mode in ("I", "F"):
        return Image.fromarray(ids.astype(np.int32 if mode == "I" else np.float32))
    if mode == "1":
        return Image.fromarray(ids > 0)
    if mode in ("P", "PA"):
        picture = Image.fromarray(ids)
        greys = np.repeat(np.arange(256, dtype=np.uint8), 3)
        picture.putpalette(greys.tobytes())
        return picture if mode == "P" else picture.convert("PA")
    grey = Image.fromarray(ids)
    return grey if mode == "L" else grey.convert("RGB").convert(mode) if mode != "LA" else grey.convert("LA")


@pytest.mark.parametrize(("mode", "encoding"), list(itertools.product(MODES, ENCODINGS)))
@pytest.mark.parametrize("values", [(0, 1), (0, 255), (0, 77)])
def test_the_gate_refuses_a_mask_exactly_when_the_decoder_does(here, mode, encoding, values):
    path = write_set(here, {"train": 1}, encoding=encoding, classes=CLASSES, mask_suffix=".tif")
    mask_of(path).unlink()
    mask_path = mask_of(path).with_suffix(".tif")  # holds every mode
    mask_in(mode, values).save(mask_path)
    try:
        train_ids = decode_mask(mask_path, read_dataset_file(path))
        refusal = ""
    except ValueError as error:
        refusal = str(error)
    findings = check_dataset_file(path).findings
    kinds = {finding.code: finding.message for finding in findings if finding.code in ("mask-kind", "mask-values")}
    assert bool(kinds) == bool(refusal), (refusal, kinds)
    if not refusal:  # and counts the same classes
        labelled = set(np.unique(train_ids).tolist()) - {255}
        absent = next((finding.count for finding in findings if finding.code == "absent-class"), 0)
        errors = [finding for finding in findings if finding.kind == "error"]
        assert errors or absent == len(CLASSES) - len(labelled)
