"""A labelled set of one's own, from dataset.yaml to scores, by the real programs."""

import numpy as np
import pytest
import yaml
from PIL import Image

from semseg import compat, labels
from tests.conftest import CONFIG, SHORT, results_in, run, scores_in

pytestmark = pytest.mark.slow

GROUND, SKY, THING = (200, 180, 90), (20, 20, 250), (255, 255, 255)
CLASS_OF = {"road": 0, "sidewalk": 0, "terrain": 0, "sky": 1}  # of Cityscapes' names; the others are things
MAP = {name: ("ground", "sky", "thing")[CLASS_OF.get(name, 2)] for name in labels.CITYSCAPES.classes if name != "sky"}
IGNORED_COLOR = (0, 0, 0)


@pytest.fixture(scope="module")
def mine(town):
    """`data/mine/dataset.yaml` in the town: its streets, in three colours."""
    root = town / "data/mine"
    table = np.array([CLASS_OF.get(name, 2) for name in labels.CITYSCAPES.classes] + [3] * 237)
    colors = np.array([GROUND, SKY, THING, IGNORED_COLOR], np.uint8)
    for split in ("train", "val"):
        for mask_path in sorted((town / f"data/toycity/gtFine/{split}").rglob("*_gtFine_labelTrainIds.png")):
            name = mask_path.name.replace("_gtFine_labelTrainIds.png", "")
            image_path = town / f"data/toycity/leftImg8bit/{split}/{mask_path.parent.name}/{name}_leftImg8bit.png"
            for folder in ("photos", "masks"):
                (root / folder / split).mkdir(parents=True, exist_ok=True)
            Image.open(image_path).save(root / f"photos/{split}/{name}.JPG", quality=95)
            Image.fromarray(colors[table[np.asarray(Image.open(mask_path))]]).save(root / f"masks/{split}/{name}.png")
    content = {
        "splits": {name: {"images": f"photos/{name}", "masks": f"masks/{name}"} for name in ("train", "val")},
        "image_suffix": ".jpg",
        "encoding": "rgb",
        "classes": [
            {"name": "ground", "color": list(GROUND)},
            {"name": "sky", "color": "#1414fa"},
            {"name": "thing", "color": list(THING)},
        ],
        "label_map": {"#000000": "ignore"},
    }
    (root / "dataset.yaml").write_text(yaml.safe_dump(content))
    return root


def test_a_set_of_ones_own_is_trained_on_tested_and_used(town, mine):
    data = ["--data", "data/mine/dataset.yaml"]
    short = [*SHORT, "train_cfg.max_iters=2"]
    run(town, "train.py", CONFIG, *data, "--work-dir", "mine", *short)
    checkpoint = town / "mine/iter_2.pth"
    assert compat.load_checkpoint_file(checkpoint)["meta"]["dataset_meta"]["classes"] == (
        "ground",
        "sky",
        "thing",
    )
    assert len(list((town / "mine").glob("*/panels/*_iter_000002.jpg"))) == 3
    masks = {path: path.read_bytes() for path in (mine / "masks/val").iterdir()}
    done = run(town, "test.py", CONFIG, checkpoint, *data, "--work-dir", "mine", "--out", "data/mine/masks/val", code=2)
    assert "which is an input; choose another --out [E-input-overwrite]" in done.stderr
    assert {path: path.read_bytes() for path in (mine / "masks/val").iterdir()} == masks
    done = run(town, "test.py", CONFIG, checkpoint, *data, "--work-dir", "mine", "--show-dir", "mine_seen")
    assert "testing on split 'val': data/mine/dataset.yaml has no 'test'" in done.stderr
    assert {"IoU/ground", "IoU/sky", "IoU/thing", "mIoU"} <= scores_in(town / "mine").keys()
    assert len(list((town / "mine_seen").glob("*.jpg"))) == 3
    run(town, "infer.py", CONFIG, checkpoint, mine / "photos/val", *data, "--out-dir", "mine_used")
    assert len(list((town / "mine_used/pred").glob("*.png"))) == 3
    done = run(town, "infer.py", CONFIG, checkpoint, mine / "photos/val", code=2)
    assert "holds a model of 3 classes (ground, sky, thing), " in done.stderr
    assert "has 19 (road, sidewalk, building and 16 more): use the config or the --data" in done.stderr


def test_a_model_of_other_classes_needs_a_map_and_is_scored_with_it(town, mine, trained):
    (checkpoint,) = trained.glob("best_mIoU_iter_*.pth")
    command = [CONFIG, checkpoint]
    data = ["--data", "data/mine/dataset.yaml"]
    done = run(town, "test.py", *command, *data, code=2)
    assert "have other classes: only the first has road, " in done.stderr
    assert "--map FILE" in done.stderr

    (town / "map.yaml").write_text(yaml.safe_dump(MAP))
    options = [*data, "--map", "map.yaml"]
    run(town, "test.py", *command, "--work-dir", "plain", "--out", "plain_ids")
    run(town, "dist_test.sh", *command, 2, *options, "--work-dir", "mapped", "--show-dir", "mapped_seen",
        "--out", "mapped_ids")  # fmt: skip
    assert len(list((town / "mapped_seen").glob("*.jpg"))) == 3
    scores = scores_in(town / "mapped")
    assert {"IoU/ground", "IoU/sky", "IoU/thing"} <= scores.keys()
    intersections, unions = np.zeros(3), np.zeros(3)
    for path in (town / "mapped_ids").glob("*.png"):
        target = np.asarray(Image.open(mine / f"masks/val/{path.name}")).astype(int)
        predicted = np.asarray(Image.open(path))
        counts = (target != IGNORED_COLOR).any(-1)
        for i, color in enumerate((GROUND, SKY, THING)):
            truth, found = (target == color).all(-1), (predicted == i) & counts
            intersections[i] += (truth & found).sum()
            unions[i] += (truth | found).sum()
    expected = intersections / unions * 100
    found = np.array([scores[f"IoU/{name}"] for name in ("ground", "sky", "thing")], float)
    assert np.allclose(found, expected, atol=0.01, equal_nan=True)
    (folder,) = (town / "mapped/test").glob("*/target")
    for path in sorted((mine / "masks/val").glob("*.png")):
        colors = np.asarray(Image.open(path))
        (stored_path,) = folder.rglob(path.name)
        stored = np.asarray(Image.open(stored_path))  # the ignored pixels of a set of three classes are still 255
        assert np.array_equal(stored == 255, (colors == IGNORED_COLOR).all(-1))
        assert np.array_equal(stored == 2, (colors == THING).all(-1))


def test_a_class_that_nothing_becomes_is_told(town, mine, trained):
    (checkpoint,) = trained.glob("best_mIoU_iter_*.pth")
    (town / "map2.yaml").write_text(yaml.safe_dump(MAP | dict.fromkeys(["road", "sidewalk", "terrain"], "ignore")))
    done = run(town, "test.py", CONFIG, checkpoint, "--data", "data/mine/dataset.yaml", "--map", "map2.yaml",
               "--work-dir", "unreached")  # fmt: skip
    assert "no class of the model is mapped to ground: their IoU is 0" in done.stdout
    values = {
        value for path in (town / "unreached/test").glob("*/predicted/*.png") for value in np.unique(Image.open(path))
    }
    assert 255 in values  # what becomes no class is ignored, and not the last class
    assert values <= {1, 2, 255}


def test_a_wrong_mask_that_nobody_checked_ends_the_training_with_its_name(town, mine):
    path = sorted((mine / "masks/train").glob("*.png"))[0]
    before = path.read_bytes()
    image = np.array(Image.open(path))
    image[:2, :5] = (1, 200, 3)
    Image.fromarray(image).save(path)
    try:
        data = ["--data", "data/mine/dataset.yaml", "--no-check"]
        done = run(town, "train.py", CONFIG, *data, "--work-dir", "wrong", *SHORT, code=2)
    finally:
        path.write_bytes(before)
    assert f"error: data/mine/masks/train/{path.name} holds 1 colour not in the list: {{#01c803: 10 px" in done.stderr


def test_label_ids_that_nobody_checked_end_the_training_with_the_converter(town):
    path = sorted((town / "data/toycity/gtFine/train").rglob("*_labelTrainIds.png"))[0]
    before = path.read_bytes()
    path.write_bytes(path.with_name(path.name.replace("labelTrainIds", "labelIds")).read_bytes())
    try:
        done = run(town, "train.py", CONFIG, "--no-check", "--work-dir", "wrong2", *SHORT, code=2)
    finally:
        path.write_bytes(before)
    assert "holds values outside 0..18 and 255" in done.stderr
    assert "run tools/convert_datasets/cityscapes.py" in done.stderr


def test_several_sets_are_trained_on_and_tested_as_one(town, trained):
    (checkpoint,) = trained.glob("best_mIoU_iter_*.pth")
    data = []
    for split in ("train", "val"):
        places = {"images": f"leftImg8bit/{split}", "masks": f"gtFine/{split}"}
        content = {
            "root": "data/toycity",
            "splits": {"train": places, "test": places},
            "image_suffix": "_leftImg8bit.png",
            "mask_suffix": "_gtFine_labelTrainIds.png",
            "encoding": "ids",
            "classes": "cityscapes",
        }
        (town / f"only_{split}.yaml").write_text(yaml.safe_dump(content))
        data += ["--data", f"only_{split}.yaml"]
    done = run(town, "train.py", CONFIG, *data, "--dry-run", "--work-dir", "several")
    assert "nothing stands in the way" in done.stdout + done.stderr
    run(town, "test.py", CONFIG, checkpoint, *data, "--work-dir", "several", "--out", "several_ids", "--no-report")
    assert results_in(town / "several")["data"]["num_images"] == 11
    (folder,) = (town / "several/test").iterdir()
    assert folder.name == f"{checkpoint.stem}-only_train+only_val_test"
    stored = sorted(path.relative_to(town / "several_ids") for path in (town / "several_ids").rglob("*.png"))
    assert {path.parts[0] for path in stored} == {"train", "val"}
    correct = total = 0
    for split in ("train", "val"):
        for mask_path in (town / f"data/toycity/gtFine/{split}").rglob("*_gtFine_labelTrainIds.png"):
            name = f"{split}/{mask_path.parent.name}/{mask_path.name}".replace("gtFine_labelTrainIds", "leftImg8bit")
            target, predicted = (np.asarray(Image.open(path)) for path in (mask_path, town / "several_ids" / name))
            correct += (predicted == target)[target != 255].sum()
            total += (target != 255).sum()
    assert scores_in(town / "several")["aAcc"] == pytest.approx(100 * correct / total, abs=0.01)
