"""tools/dataset.py submit-cityscapes, run as a person runs it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TOOL = [sys.executable, str(Path(__file__).parents[2] / "tools/dataset.py"), "submit-cityscapes"]


def run(cwd, *arguments):
    return subprocess.run([*TOOL, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60)


@pytest.mark.slow
def test_it_packs_and_says_so_or_says_what_is_missing(tmp_path):
    (tmp_path / "data/cityscapes/leftImg8bit/val/bonn").mkdir(parents=True)
    (tmp_path / "pred").mkdir()
    image = Image.fromarray(np.full((4, 8), 13, np.uint8))
    for index in range(2):
        name = f"bonn_00000{index}_000019_leftImg8bit.png"
        image.save(tmp_path / "data/cityscapes/leftImg8bit/val/bonn" / name)
        done = run(tmp_path, "pred", "--out", "x.zip", "--split", "val")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: no PNG in pred;" if index == 0 else "error: 1 of 2 images of val have")
        image.save(tmp_path / "pred" / name)
    done = run(tmp_path, "pred", "--out", "x.zip", "--split", "val")
    assert (done.returncode, done.stdout, done.stderr) == (0, "x.zip: 2 predictions of val\n", "")
    assert len(zipfile.ZipFile(tmp_path / "x.zip").namelist()) == 2
