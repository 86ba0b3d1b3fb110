"""The whole line, by the real programs, in a small town."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semseg import compat, labels
from semseg.checkpoints.fingerprint import weights_fingerprint
from semseg.checkpoints.reading import read_checkpoint
from semseg.evaluation.results import read_results
from tests.conftest import CONFIG, REPO, SHORT, results_in, run, scores_in
from tests.stock_models import log_of, run_stock, table_of

pytestmark = pytest.mark.slow


def checkpoint_of(work_dir):
    (path,) = work_dir.glob("best_mIoU_iter_*.pth")
    return path


def pictures(folder):
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.*"))


def test_a_run_leaves_its_log_table_config_and_checkpoints(trained):
    (log_path,) = trained.glob("*/*.log")
    log = log_path.read_text()
    line = next(line for line in log.splitlines() if "Iter(train) [4/4]" in line)
    for word in ("lr", "eta", "time", "data_time", "memory", "loss", "decode.loss_ce", "decode.acc_seg", "aux.loss_ce"):
        assert f"  {word}: " in line
    assert re.search(r"\|\s+Class\s+\|\s+IoU\s+\|\s+Acc\s+\|", log)
    assert re.search(r"Iter\(val\) \[3/3\]\s+aAcc: \S+  mIoU: \S+  mAcc: \S+  data_time", log)
    assert "System environment" in log
    assert {"iter_2.pth", "iter_4.pth", f"{CONFIG.stem}.py"} <= {path.name for path in trained.iterdir()}
    assert checkpoint_of(trained)


def test_the_screen_shows_the_run_and_not_the_noise(trained):
    shown = (trained / "stdout.txt").read_text()
    assert f"tensorboard --logdir work_dirs/{CONFIG.stem}" in shown
    assert "Iter(train) [4/4]" in shown
    assert "System environment" not in shown
    assert "OneDL" not in shown
    assert "\x1b[?25l" not in shown  # no progress bar in a pipe
    assert (trained / "stderr.txt").read_text() == ""


def test_tensorboard_holds_curves_scores_per_class_and_pictures(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (events,) = trained.glob("*/vis_data/events*")
    board = EventAccumulator(str(events)).Reload()
    scalars, images = board.Tags()["scalars"], board.Tags()["images"]
    assert {"loss", "lr", "mIoU", "aAcc", "IoU/road", "IoU/car", "Acc/sky"} <= set(scalars)
    assert [event.step for event in board.Scalars("mIoU")] == [2, 4]
    panels = [name for name in images if name.startswith("val_panels/")]
    assert len(panels) == 3
    assert [event.step for event in board.Images(panels[0])] == [2, 4]
    assert len(images) == 4  # and the contact sheet


def test_each_validation_paints_the_same_images(trained):
    names = sorted(path.name for path in trained.glob("*/panels/*.jpg"))
    assert len(names) == 6
    assert {name.replace("000002", "000004") for name in names} == {n for n in names if "000004" in n}


def test_show_dir_paints_every_image_and_out_writes_train_ids(town, trained):
    run(town, "test.py", CONFIG, checkpoint_of(trained), "--work-dir", "one", "--show-dir", "show", "--out", "out")
    images = pictures(town / "data/toycity/leftImg8bit/val")
    assert pictures(town / "show") == images
    assert pictures(town / "out") == images
    assert set(np.unique(Image.open(next((town / "out").rglob("*.png"))))) <= set(range(19))


def test_a_test_leaves_what_all_numbers_follow_from(town, trained):
    table = town / "weather.csv"
    images = [f"{name}.png" for name in pictures(town / "data/toycity/leftImg8bit/val")]
    rows = [f"{Path(name).stem},{weather}" for name, weather in zip(images, ("sun", "rain", "sun"), strict=True)]
    table.write_text("\n".join(["image,weather", *rows]))
    done = run(town, "test.py", CONFIG, checkpoint_of(trained), "--work-dir", "left", "--slices", table)
    (folder,) = (town / "left/test").iterdir()
    assert folder.name == f"{checkpoint_of(trained).stem}-toycity_val"
    assert f"results: left/test/{folder.name} (results.json, tables, predicted/)" in done.stdout
    assert done.stdout.splitlines()[-1] == f"report: left/test/{folder.name}/report.html"
    assert "<title>" in (folder / "report.html").read_text()
    found = read_results(folder)
    assert [row["image"] for row in found.images] == images
    assert {row["name"]: row["num_images"] for row in found.summary["slices"]["weather"]} == {"rain": 1, "sun": 2}
    assert found.summary["run"]["iteration"] == 4
    assert found.summary["run"]["work_dir"] == str(trained)
    recounted = np.zeros((19, 19), int)
    for row in found.images:
        target, predicted = (np.asarray(Image.open(folder / kind / row["mask"])) for kind in ("target", "predicted"))
        np.add.at(recounted, (target[target < 255], predicted[target < 255]), 1)
    assert recounted.tolist() == found.summary["confusion"]
    done = run(town, "test.py", CONFIG, checkpoint_of(trained), "--slices", "none.csv", code=2)
    assert "no table of slices none.csv" in done.stderr


def test_two_processes_give_the_scores_of_one_and_paint_every_image(town, trained, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as the launcher sets it; the last bits of scores depend on it
    command = [CONFIG, checkpoint_of(trained)]
    run(town, "test.py", *command, "--work-dir", "alone", "--extras", "all")
    # spaces in a quoted argument survive; three images for two processes
    run(town, "dist_test.sh", *command, 2, "--work-dir", "a pair", "--show-dir", "show two", "--extras", "all")
    alone, pair = results_in(town / "alone"), results_in(town / "a pair")
    for found in (alone, pair):
        found.pop("created")
        found["run"].pop("command")
    assert pair == alone
    assert pair["data"]["num_images"] == 3
    assert set(pair["extras"]) == {"boundary", "trimap", "sizes", "rows", "calibration"}
    folders = [next((town / name / "test").iterdir()) for name in ("alone", "a pair")]
    for name in ("per_image.csv", "per_class.csv", "confusion.csv"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    assert pictures(folders[1] / "predicted") == pictures(folders[0] / "target")
    assert pictures(town / "show two") == pictures(town / "data/toycity/leftImg8bit/val")


def test_a_labelled_set_with_names_of_its_own_is_evaluated(town, trained):
    command = [CONFIG, checkpoint_of(trained), "--data", "data/rosario_labelled/dataset.yaml", "--work-dir", "rosario"]
    run(town, "test.py", *command, "--show-dir", "rosario_show")
    assert pictures(town / "rosario_show") == pictures(town / "data/rosario_labelled/photos")
    assert scores_in(town / "rosario")["aAcc"] > 0


def test_two_processes_train_and_resume_goes_on(town):
    work_dir = town / "pair"
    run(town, "dist_train.sh", CONFIG, 2, "--work-dir", work_dir, *SHORT)
    resumed = run(town, "train.py", CONFIG, "--work-dir", work_dir, "--resume", *SHORT, "train_cfg.max_iters=6")
    assert "Iter(train) [5/6]" in resumed.stdout
    assert "Iter(train) [4/6]" not in resumed.stdout
    assert (work_dir / "iter_6.pth").is_file()
    assert compat.load_checkpoint_file(work_dir / "iter_6.pth")["meta"]["iter"] == 6


@pytest.mark.skipif(torch.cuda.is_available(), reason="bfloat16 is the CPU's way")
def test_amp_and_tta_run(town, trained):
    run(town, "train.py", CONFIG, "--amp", "--work-dir", "amp", *SHORT, "train_cfg.max_iters=2")
    done = run(town, "test.py", CONFIG, checkpoint_of(trained), "--tta", "--work-dir", "tta")
    assert "mIoU" in done.stdout
    facts = results_in(town / "tta")["run"]
    weights = read_checkpoint(checkpoint_of(trained))["state_dict"]
    assert (facts["tta"], facts["weights_sha256"]) == (True, weights_fingerprint(weights))


def test_inference_keeps_names_and_folders_and_skips_a_broken_file(town, trained):
    folder = town / "photographs"
    for path in (town / "data/rosario").rglob("*.jpg"):
        target = folder / path.relative_to(town / "data/rosario")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    run(town, "infer.py", CONFIG, checkpoint_of(trained), folder, "--out-dir", "seen")
    (folder / "broken.jpg").write_bytes(b"no picture")
    done = run(town, "infer.py", CONFIG, checkpoint_of(trained), folder, "--out-dir", "seen2", code=1)
    assert "broken.jpg: not a readable image" in done.stderr
    assert "3 of 4 images segmented" in done.stdout
    for out_dir in ("seen", "seen2"):
        assert pictures(town / out_dir / "pred") == pictures(town / out_dir / "vis")
        assert pictures(town / out_dir / "pred") == [p for p in pictures(folder) if p != "broken"]
    mask_path = next((town / "seen/pred").rglob("*.png"))
    mask = Image.open(mask_path)
    assert mask.mode == "P"
    assert mask.getpalette()[:57] == np.ravel(labels.CITYSCAPES.palette).tolist()
    (photograph,) = folder.rglob(mask_path.with_suffix(".jpg").name)
    assert mask.size == Image.open(photograph).size


def test_the_stock_inferencer_takes_our_config_and_checkpoint(town, trained):
    image = next((town / "data/rosario").rglob("*.jpg"))
    code = f"""
from mmseg.apis import MMSegInferencer
result = MMSegInferencer(model={str(CONFIG)!r}, weights={str(checkpoint_of(trained))!r}, device='cpu')({str(image)!r})
print('SHAPE', result['predictions'].shape)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=town, capture_output=True, text=True)
    width, height = Image.open(image).size
    assert f"SHAPE ({height}, {width})" in done.stdout, done.stderr


def test_the_stock_test_tool_takes_our_config_and_prints_the_same_table(town, trained):
    checkpoint, metric = checkpoint_of(trained), ["--cfg-options", "test_evaluator.type=IoUMetric"]
    run_stock(town, "test.py", CONFIG, checkpoint, "--work-dir", town / "stock", *metric)
    run(town, "test.py", CONFIG, checkpoint, "--work-dir", town / "ours", "--no-report")
    assert len(table_of(log_of(town / "ours"))[0]) == 19
    assert table_of(log_of(town / "stock")) == table_of(log_of(town / "ours"))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train.py", "none.py"], "no config file none.py"),
        (["test.py", CONFIG, "none.pth"], "no checkpoint none.pth"),
        (["infer.py", CONFIG, "none.pth", "data/rosario"], "no checkpoint none.pth"),
        (["infer.py", CONFIG, "none.pth", "empty"], "no image in empty (it is empty)"),
        (["infer.py", CONFIG, "none.pth", "note.txt"], "note.txt names no image"),
        (["train.py", CONFIG, "--cfg-options", "optim_wraper.type=x"], "did you mean 'optim_wrapper'?"),
        (["train.py", CONFIG, "--resume", "--work-dir", "empty"], "--resume: no checkpoint in empty"),
        (["dist_test.sh", CONFIG, "none.pth", 2], "no checkpoint none.pth"),
        (["dist_train.sh", CONFIG, "x"], "number of GPUs: expected 1 or more, got 'x'"),
        (["dist_train.sh"], "tools/dist_train.sh CONFIG GPUS"),
        (["dist_test.sh"], "tools/dist_test.sh [CONFIG] CHECKPOINT GPUS"),
    ],
)
def test_wrong_input_is_one_sentence(town, command, message):
    (town / "empty").mkdir(exist_ok=True)
    (town / "note.txt").touch()
    done = run(town, *command, code=2)
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) <= (2 if len(command) > 1 else 4)


def test_a_checkpoint_of_another_model_is_refused(town, trained):
    other = REPO / "configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py"
    done = run(town, "infer.py", other, checkpoint_of(trained), "data/rosario", code=2)
    assert "does not fit the model of the config" in done.stderr


def test_pretrained_weights_out_of_reach_name_both_ways_out(town):
    url = "model.pretrained=http://127.0.0.1:9/resnet18.pth"  # nobody listens on the discard port
    done = run(town, "train.py", CONFIG, "--work-dir", "x", *SHORT, url, code=1)
    assert "cannot download the pretrained weights http://127.0.0.1:9/resnet18.pth" in done.stderr
    assert "model.pretrained=FILE" in done.stderr
    assert "model.pretrained=None" in done.stderr


@pytest.mark.parametrize("path", sorted((REPO / "tools").rglob("*.py")), ids=lambda path: path.name)
def test_help_imports_nothing_heavy(path):
    done = subprocess.run([sys.executable, "-X", "importtime", path, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "numpy", "mmengine", "mmseg", "cv2", "PIL", "rich"}
