"""A training set beside the results of a test."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A function that writes a training set with these groups and returns its dataset.yaml."""
    monkeypatch.chdir(tmp_path)

    def write_set(name, groups):
        rows = []
        for number, group in enumerate(groups):
            path = tmp_path / name / group / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
            rows.append(f"{path},{path}")
        (tmp_path / name / "pairs.csv").write_text("\n".join(rows) + "\n")
        path = tmp_path / name / "dataset.yaml"
        path.write_text("splits: {train: {pairs: pairs.csv}}\nencoding: ids\nclasses: [road, car, train]\n")
        return path

    return write_set
