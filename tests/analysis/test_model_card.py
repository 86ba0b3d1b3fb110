import getpass
import re
import shlex
import sys

import pytest
import yaml
from PIL import Image

from semseg.analysis import model_card
from semseg.analysis.checkpoint_tests import CheckpointTests
from semseg.checkpoints.fingerprint import weights_fingerprint
from semseg.checkpoints.publish import publish
from semseg.checkpoints.reading import read_checkpoint
from semseg.cli.groups import trained_model
from semseg.cli.main import main
from semseg.evaluation.results import write_results
from semseg.evaluation.slices import by_folder
from tests.checkpoints.described import checkpoint, save
from tests.conftest import raises
from tests.evaluation import random_results


def write_test(folder, iteration=4, created="2026-01-02", checkpoint="best.pth", run=(), **options):
    """Write the results of a test of three classes; `run` are facts that results of older versions do not have."""
    result = random_results.evaluation(**options)
    images = result.confusions.images
    facts = {
        "created": created,
        "run": {"checkpoint": checkpoint, "iteration": iteration, **dict(run)},
        "data": {"name": "harbour", "split": "test", "num_images": len(images)},
    }
    write_results(folder, result, facts, [{"path": name, "mask": name} for name in images], by_folder(images))
    return folder


def content_of(classes=None, **described):
    content = checkpoint(**described)
    if classes is not None:
        content["meta"]["dataset_meta"]["classes"] = classes
    return content


def metadata_of(card):
    return yaml.safe_load(card.split("---\n")[1])


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """The working folder, with a checkpoint and photographs."""
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "best_mIoU_iter_4.pth", checkpoint())
    (tmp_path / "best.pth").symlink_to("best_mIoU_iter_4.pth")
    (tmp_path / "photographs").mkdir()
    for path in ("street.jpg", "photographs/a.jpg"):
        Image.new("RGB", (96, 64), (90, 120, 60)).save(tmp_path / path)
    return tmp_path


def test_the_commands_in_a_card_run(run_dir, capsys, monkeypatch):
    assert trained_model(["publish", "best.pth"]) == 0
    shown = capsys.readouterr().out
    assert "README.md: model card, with the scores of the validation" in shown
    card = (run_dir / "README.md").read_text()
    (command,) = re.findall(r"```sh\n(semseg infer .*)\n```", card)
    monkeypatch.setattr(sys, "argv", [])
    assert not main(shlex.split(command)[1:])
    assert list((run_dir / "masks").rglob("a.png"))
    (program,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    exec(program, {})
    assert Image.open("overlay.png").size == (96, 64)
    assert "road" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["describe", "publish"])
def test_a_missing_checkpoint_is_an_error_that_lists_the_others(run_dir, command):
    with raises("E-checkpoint-missing", "no checkpoint iter_9.pth; . holds best.pth, best_mIoU_iter_4.pth"):
        trained_model([command, "iter_9.pth"])


def test_a_card_with_validation_scores_says_so(run_dir):
    card = model_card.model_card(checkpoint(), run_dir / "best.pth", "x.safetensors")
    assert "Scores of the validation during the training, after iteration 4, not of a separate test" in card
    assert "| mIoU | 41.50 |" in card
    assert "IoU below 50 %, the lowest first: rider, wall." in card
    assert "do not occur in the validation images, so their quality is unknown: bus." in card
    assert "8 images to train, 3 images to validate; fingerprint abababababababab" in card
    assert "- The checkpoint is from iteration 4 of 1000." in card
    assert metadata_of(card)["model-index"][0]["results"][0]["metrics"][0] == dict(
        type="mean_iou", name="mIoU", value=41.5
    )


def test_a_card_with_the_scores_of_a_test_has_intervals(tmp_path):
    content = content_of(random_results.CLASSES)
    summary = CheckpointTests(content).read_scores(write_test(tmp_path / "results"))
    path = save(tmp_path / "best.pth", content)
    card = model_card.model_card(content, path, "x.safetensors", summary)
    miou = summary["scores"]["mIoU"]
    assert f"| mIoU | {miou['value']:.2f} | {miou['low']:.2f} to {miou['high']:.2f} |" in card
    assert "Test on harbour test, 6 images" in card
    assert "during the training" not in card
    result = metadata_of(card)["model-index"][0]["results"][0]
    assert result["dataset"]["name"] == "harbour test"
    assert result["metrics"][0]["value"] == round(miou["value"], 2)


def test_the_newest_test_of_the_checkpoint_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = content_of(random_results.CLASSES)
    path = save(tmp_path / "best_mIoU_iter_4.pth", content)
    content = read_checkpoint(path)
    assert CheckpointTests(content).find_results(path) is None
    own = dict(checkpoint=path.name)
    write_test(tmp_path / "test/best_mIoU_iter_4-a_test", created="2026-01-02", **own)
    newest = write_test(tmp_path / "test/best_mIoU_iter_4-b_test", created="2026-01-03", **own)
    write_test(tmp_path / "test/best_mIoU_iter_4-c_test", iteration=2, created="2026-01-04", **own)
    write_test(tmp_path / "test/last-d_test", created="2026-01-05")
    write_test(tmp_path / "test/best_mIoU_iter_4-v2-d_test", created="2026-01-05", checkpoint="best_mIoU_iter_4-v2.pth")
    assert CheckpointTests(content).find_results(path) == newest
    other = write_test(tmp_path / "work_dirs/x/test/best-e_test", created="2026-01-06")  # says that it is of best.pth
    assert CheckpointTests(content).find_results(path) == newest
    (tmp_path / "best.pth").symlink_to(path.name)
    assert CheckpointTests(content).find_results(path) == other.relative_to(tmp_path)


def test_results_with_a_fingerprint_are_those_of_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = content_of(random_results.CLASSES)
    (tmp_path / "run").mkdir()
    path = save(tmp_path / "run/iter_4.pth", content)
    weights = {"weights_sha256": weights_fingerprint(read_checkpoint(path)["state_dict"])}
    other_training = {"weights_sha256": "ab" * 32}
    write_test(tmp_path / "run/test/iter_4-b_test", created="2026-01-05", checkpoint="iter_4.pth", run=other_training)
    assert CheckpointTests(read_checkpoint(path)).find_results(path) is None
    with raises("E-input-results", "with other weights"):
        CheckpointTests(content).read_scores(tmp_path / "run/test/iter_4-b_test")
    tested = write_test(tmp_path / "run/test/best-a_test", checkpoint="elsewhere/best.pth", run=weights)
    published = publish(path).paths  # without the optimizer
    for file in (path, *published):
        assert CheckpointTests(read_checkpoint(file)).find_results(file) == tested


@pytest.mark.parametrize("facts", [{"tta": True}, {}], ids=["now", "older"])
def test_a_test_with_augmentation_is_taken_only_without_another_and_the_card_says_so(tmp_path, monkeypatch, facts):
    monkeypatch.chdir(tmp_path)
    content = content_of(random_results.CLASSES)
    path = save(tmp_path / "iter_4.pth", content)
    own = dict(checkpoint=path.name)
    with_tta = write_test(tmp_path / "test/iter_4-a_test-tta", created="2026-01-03", run=facts, **own)
    assert CheckpointTests(content).find_results(path) == with_tta
    card = model_card.model_card(content, path, "x.safetensors", CheckpointTests(content).read_scores(with_tta))
    assert "**With test-time augmentation** (`--tta`)" in card
    (metric, *_) = metadata_of(card)["model-index"][0]["results"][0]["metrics"]
    assert metric["name"] == "mIoU (test-time augmentation)"
    without = write_test(tmp_path / "test/iter_4-a_test", run={"tta": False} if facts else {}, **own)
    assert CheckpointTests(content).find_results(path) == without
    card = model_card.model_card(content, path, "x.safetensors", CheckpointTests(content).read_scores(without))
    assert "augmentation" not in card


def test_results_of_another_model_are_refused(tmp_path):
    content = content_of(random_results.CLASSES)
    with raises("E-input-results", "of iteration 2, and this one is of iteration 4"):
        CheckpointTests(content).read_scores(write_test(tmp_path / "a", iteration=2))
    with raises("E-input-results", "other classes"):
        CheckpointTests(checkpoint()).read_scores(write_test(tmp_path / "b"))
    with raises("E-input-missing", "results.json"):
        CheckpointTests(content).read_scores(tmp_path)


def test_a_card_has_no_paths_of_the_machine_and_no_user(tmp_path, monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    described = dict(
        command="python /home/ada/semseg/tools/train.py '/data/ada lovelace/x.py' --work-dir=/scratch/ada/run --data "
        "../../ada/set.yaml --cfg-options 'data_root=[/mnt/a,/mnt/b]' note=ada --load-from https://host/w.pth",
        config_file="/home/ada/semseg/configs/x.py",
    )
    content = content_of(**described)
    card = model_card.model_card(content, save(tmp_path / "best.pth", content), "x.safetensors")
    assert (
        "python train.py x.py --work-dir=run --data set.yaml --cfg-options 'data_root=[a,b]' 'note=***' "
        "--load-from https://host/w.pth"
    ) in card
    assert not re.search(r"\bada\b|/home|/mnt|/scratch|lovelace", card)
    assert str(tmp_path) not in card


def test_the_licence_is_given_or_marked_as_missing(run_dir, capsys):
    assert trained_model(["publish", "best.pth", "--out-dir", "a", "--license", "cc-by-4.0"]) == 0
    card = (run_dir / "a/README.md").read_text()
    assert metadata_of(card)["license"] == "cc-by-4.0"
    assert "TO BE FILLED IN" not in card
    assert "fill in" not in capsys.readouterr().out
    assert trained_model(["publish", "best.pth", "--out-dir", "b"]) == 0
    card = (run_dir / "b/README.md").read_text()
    assert "license" not in metadata_of(card)
    assert "TO BE FILLED IN by the publisher" in card


def test_an_edited_card_is_kept(run_dir, capsys):
    (run_dir / "README.md").write_text("mine")
    assert trained_model(["publish", "best.pth"]) == 0
    assert (run_dir / "README.md").read_text() == "mine"
    (weights,) = run_dir.glob("*.safetensors")
    assert "model card" in capsys.readouterr().out
    assert weights.with_suffix(".md").read_text().startswith("---\n")


def test_a_checkpoint_without_description_has_a_card_too(tmp_path):
    content = checkpoint()
    del content["meta"]["semseg"]
    card = model_card.model_card(content, save(tmp_path / "old.pth", content), "old.safetensors")
    assert "semseg infer old.py old.safetensors photographs" in card
    assert 'config="old.py"' in card
    assert "data, training and scores are not recorded" in card
