"""tools/dataset.py export and the import of what it wrote, run as a person runs them."""

import numpy as np
import pytest
from PIL import Image

from tests.conftest import run
from tests.datasets.exporters.test_planning import draw_mask, write_set

pytestmark = pytest.mark.slow
MASKS = ("pred", "--images", "photos", "--classes", "classes.yaml")


def test_the_printed_command_reads_what_was_exported(tmp_path):
    masks = {"a/1": draw_mask(np.random.default_rng(0), 20, 30), "2": np.full((4, 6), 255, np.uint8)}
    write_set(tmp_path, masks)
    Image.new("RGB", (4, 4)).save(tmp_path / "photos/3.jpg")
    done = run(tmp_path, "dataset.py", "export", "labelme-polygon", *MASKS, "--out", "package", "--nproc", 1)
    *lines, command = done.stdout.splitlines()
    assert lines[0] == "package: annotations/*.json, labels.txt, classes.yaml"
    assert lines[1].startswith("2 images, 1 of them without a labelled pixel, ")
    assert lines[2] == "images without a mask, left out: 1"
    words = command.removeprefix("to read the corrections: tools/").split()
    done = run(tmp_path, *words[:-1], "back", "--nproc", 1)
    assert "left out: 1 images without shapes" in done.stdout
    (path,) = (tmp_path / "back/train_ids/train").rglob("*.png")
    assert np.array_equal(np.asarray(Image.open(path)), masks["a/1"])


def test_wrong_input_is_one_sentence_and_exit_code_2(tmp_path):
    write_set(tmp_path, {"1": np.zeros((4, 6), np.uint8)})
    done = run(tmp_path, "dataset.py", "export", "coco", "pred", "--images", "photos", "--out", "package", code=2)
    said = "pred is a folder of masks, which needs --classes; a dataset.yaml needs none"
    assert done.stderr == f"error: {said} [E-input-required]\n"
    done = run(tmp_path, "dataset.py", "export", "yolo", *MASKS, "--out", "package", code=2)
    assert "invalid choice: 'yolo'" in done.stderr
