"""tools/dataset.py import and split, run as a person runs them."""

import json

import pytest
from PIL import Image

from tests.conftest import run
from tests.datasets.groups.drives import frame


@pytest.fixture
def drawn(tmp_path):
    """A folder `drawn` of labelme: six pictures in three streets."""
    for street in "abc":
        for number in range(2):
            path = tmp_path / f"drawn/{street}_{number}"
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (16, 8), "gray").save(path.with_suffix(".jpg"))
            shapes = [
                {
                    "label": label,
                    "points": [[left, 0], [left + 7, 0], [left + 7, 7], [left, 7]],
                    "shape_type": "polygon",
                }
                for label, left in (("road", 0), ("car", 8))
            ]
            shapes.append({"label": "note", "points": [[1, 1]], "shape_type": "point"})
            content = {"imagePath": f"{path.name}.jpg", "imageWidth": 16, "imageHeight": 8, "shapes": shapes}
            path.with_suffix(".json").write_text(json.dumps(content))
    return tmp_path


@pytest.mark.slow
def test_import_and_split_say_what_they_did(drawn):
    done = run(drawn, "dataset.py", "import", "labelme", "drawn", "--out", "data/town", "--nproc", 1)
    assert done.stderr == ""
    assert done.stdout == (
        "data/town/dataset.yaml: split train, 6 images, 12 shapes\n"
        "classes (from the annotations, sorted by name): 0 car, 1 road\n"
        "painted in file order, later shapes over earlier ones\n"
        "unpainted pixels: 0.0%, ignored (255); --background CLASS gives them a class\n"
        "left out: 6 point (no area)\n"
    )
    done = run(drawn, "dataset.py", "split", "data/town", "--in-place", "--group-by", "prefix",
               "--fractions", "train=0.7", "val=0.3")  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == (
        "data/town/dataset.yaml: divided by prefix, seed 0\n"
        "split     groups  images     share     asked\n"
        "train          2       4     66.7%     70.0%\n"
        "val            1       2     33.3%     30.0%\n"
        "warning: only one group in val (b): such a split shows one drive, sequence or place only\n"
    )


@pytest.mark.slow
def test_wrong_input_is_one_sentence_and_exit_code_2(drawn):
    importing = ("dataset.py", "import", "labelme", "drawn", "--out", "out")
    (drawn / "classes.txt").write_text("road\ncars\n")
    done = run(drawn, *importing, "--classes", "classes.txt", code=2)
    assert done.stderr == (
        "error: 1 label is not in classes.txt: 'car' (6 shapes, nearest 'cars'); "
        "add them there, or give for example --map car=cars [E-data-labels]\n"
    )
    assert not (drawn / "out").exists()
    run(drawn, *importing, "--classes", "classes.txt", "--map", "car=cars")
    done = run(drawn, "dataset.py", "split", "out", "--in-place", "--group-by", "folder", code=2)
    assert done.stderr == (
        "error: --group-by folder finds 1 group ('../drawn') for 3 splits; "
        "ask for fewer splits, or give --group-by prefix or regex:PATTERN [E-data-groups]\n"
    )
    assert "required: FORMAT" in run(drawn, "dataset.py", "import", code=2).stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("labelme", "in file order"),
        ("coco", "larger areas before smaller"),
        ("cvat", "by z_order, then in file order"),
    ],
)
def test_help_states_the_painting_order(tmp_path, name, order):
    help_text = run(tmp_path, "dataset.py", "import", name, "--help").stdout
    assert order in " ".join(help_text.split())


def test_options_belong_to_their_format(tmp_path):
    done = run(tmp_path, "dataset.py", "import", "labelme", "x", "--out", "y", "--snap", 3, code=2, fresh=True)
    assert "unrecognized arguments: --snap 3" in done.stderr


@pytest.mark.slow
def test_auto_says_what_tells_the_groups(tmp_path):
    rows = ["image,mask"]
    for drive in range(3):
        for number in range(4):
            name = f"drive{drive}_{number:03}"
            frame(drive, number).save(tmp_path / f"{name}.png")
            Image.new("L", (72, 64)).save(tmp_path / f"{name}_mask.png")
            rows.append(f"{name}.png,{name}_mask.png")
    (tmp_path / "pairs.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "dataset.yaml").write_text("splits: {train: {pairs: pairs.csv}}\nencoding: ids\nclasses: [road, sky]\n")
    done = run(tmp_path, "dataset.py", "split", ".", "--out", "new", "--group-by", "auto",
               "--fractions", "train=0.7", "val=0.3")  # fmt: skip
    assert done.stdout.splitlines()[:2] == [
        "new/dataset.yaml: divided by auto, seed 0",
        "file names up to the last number: 3 groups of 4 images; for 100% of 12 sampled pictures the most similar one"
        " is in their group (27% by chance)",
    ]
    assert done.stdout.splitlines()[-1].startswith("warning: only one group in val (drive")
