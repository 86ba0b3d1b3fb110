"""Files of other programs and versions, in everything that reads checkpoints."""

import json
import zipfile

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from semseg import Segmenter, compat, config, labels
from semseg.checkpoints.describe import as_json, summarize
from semseg.checkpoints.description import classes_of, palette_of
from semseg.checkpoints.loading import load_strictly
from semseg.checkpoints.publish import publish
from semseg.checkpoints.reading import checkpoint_stem, is_checkpoint, read_checkpoint
from semseg.errors import ConfigError
from semseg.evaluation import for_testing
from semseg.export.model_file import export, facts_of
from semseg.export.traceable import Traceable
from semseg.training.fine_tuning import carry_over
from semseg.training.resume import read_whole
from tests.checkpoints.described import SMALL, save, small_config
from tests.checkpoints.old_files import of_mmengine, of_mmseg0, save_by_numpy1
from tests.conftest import CONFIG, SHORT, raises, run, scores_in
from tests.inference.test_predictor import lively_checkpoint, picture

pytestmark = pytest.mark.slow

SUFFIXES = (".pth", ".pt", ".ckpt", ".pth.tar", ".PTH")
BUILDERS = {
    "0.x": of_mmseg0,
    "0.x with EMA twins": lambda weights: of_mmseg0(weights, with_twins=True),
    "0.x without meta": lambda weights: of_mmseg0(weights, with_meta=False),
    "0.x of several processes": lambda weights: of_mmseg0({f"module.{name}": w for name, w in weights.items()}),
    "bare weights": dict,
    "1.x with a message hub": None,
}


@pytest.fixture(scope="module")
def content():
    return lively_checkpoint(small_config())


@pytest.fixture(scope="module")
def expected(content, tmp_path_factory):
    path = save(tmp_path_factory.mktemp("own") / "own.pth", content)
    return Segmenter(path, device="cpu", precision="fp32")(picture(60, 90)).train_ids


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("kind", BUILDERS)
def test_files_of_numpy_1_are_described_predict_start_a_training_and_are_published(
    tmp_path, content, expected, kind, legacy
):
    weights = content["state_dict"]
    stored = BUILDERS[kind](weights) if BUILDERS[kind] else of_mmengine(content)
    path = save_by_numpy1(tmp_path / "a.pth", stored, legacy)
    assert (b"numpy.core.multiarray" in path.read_bytes()) == ("meta" in stored)
    has_classes = "meta" in stored

    lines = "\n".join(summarize(path))
    assert ("19: road, sidewalk, " in lines) == has_classes
    assert ("73 averages of MMCV's EMAHook" in lines) == ("twins" in kind)
    assert ("mmseg 0.30.0+abc, mmcv 1.7.1" in lines) == (has_classes and "1.x" not in kind)
    assert json.loads(as_json(path))["parameters"] == sum(p.numel() for p in parameters(weights))

    segmenter = Segmenter(path, CONFIG, device="cpu", precision="fp32", cfg_options=SMALL)
    assert (segmenter(picture(60, 90)).train_ids == expected).all()
    assert segmenter.classes == labels.CITYSCAPES.classes
    assert (segmenter.palette == labels.CITYSCAPES.palette).all()

    own = {name: torch.zeros_like(value) for name, value in weights.items()}
    raw = compat.load_checkpoint_file(path)
    taken, report = carry_over(own, raw.get("state_dict", raw), None, None, str(path))
    assert taken.keys() == weights.keys()
    assert all(torch.equal(taken[name], weights[name]) for name in weights)
    assert any("73 averages of MMCV's EMAHook: left out" in line for line in report) == ("twins" in kind)

    for copy in publish(path, tmp_path / "published").paths:
        assert all(torch.equal(value, weights[name]) for name, value in read_checkpoint(copy)["state_dict"].items())
    assert read_whole(path).keys() == stored.keys()


def parameters(weights):
    ends = ("running_mean", "running_var", "num_batches_tracked")
    return [value for name, value in weights.items() if not name.endswith(ends)]


def test_a_file_of_numpy_2_is_read_too(tmp_path, content):
    torch.save(of_mmengine(content), tmp_path / "a.pth")
    assert b"numpy._core.multiarray" in (tmp_path / "a.pth").read_bytes()
    assert read_checkpoint(tmp_path / "a.pth")["message_hub"]["runtime_info"]["best_score"] == 0.71


def test_the_config_in_an_old_file_is_not_run(tmp_path, content, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = save_by_numpy1(tmp_path / "a.pth", of_mmseg0(content["state_dict"]))
    assert "config" not in read_whole(path)["meta"]
    assert [file.name for file in tmp_path.iterdir()] == ["a.pth"]


@pytest.mark.parametrize("place", ["meta", "dataset_meta"])
def test_classes_in_capitals_are_those_of_the_model(place):
    names = {"CLASSES": ["floor", "wall"], "PALETTE": [[1, 2, 3], [4, 5, 6]]}
    stored = {"meta": names if place == "meta" else {"dataset_meta": names}}
    assert classes_of(stored) == ("floor", "wall")
    assert palette_of(stored) == ([1, 2, 3], [4, 5, 6])


def test_own_names_and_colours_of_an_old_file_are_used(tmp_path, content):
    stored = of_mmseg0(content["state_dict"])
    stored["meta"]["CLASSES"] = [f"kind {i}" for i in range(19)]
    stored["meta"]["PALETTE"] = [[i, 2 * i, 3 * i] for i in range(19)]
    path = save_by_numpy1(tmp_path / "a.pth", stored)
    segmenter = Segmenter(path, CONFIG, device="cpu", cfg_options=SMALL)
    assert segmenter.classes == tuple(stored["meta"]["CLASSES"])
    assert (segmenter.palette == stored["meta"]["PALETTE"]).all()


@pytest.mark.parametrize("name", ["getattr", "eval", "multiarray.fromfile"])
def test_other_functions_of_numpy_and_python_stay_forbidden(tmp_path, name):
    module = "numpy.core.multiarray" if "." in name else "__builtin__"
    function = f"c{module}\n{name.rpartition('.')[2]}\n".encode()
    code = b"\x80\x02}X\x01\x00\x00\x00a" + function + b"X\x01\x00\x00\x00xX\x01\x00\x00\x00y\x86Rs."
    torch.save({}, tmp_path / "empty.pth")
    with zipfile.ZipFile(tmp_path / "empty.pth") as old, zipfile.ZipFile(tmp_path / "a.pth", "w") as new:
        for entry in old.namelist():
            new.writestr(entry, code if entry.endswith("data.pkl") else old.read(entry))
    with raises("E-checkpoint-code", r"a\.pth"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_checkpoint_that_describes_itself_needs_no_config_whatever_its_suffix(tmp_path, content, expected, suffix):
    path = save(tmp_path / f"my.best{suffix}", content)
    assert is_checkpoint(path)
    assert checkpoint_stem(path) == "my.best"
    assert (Segmenter(path, device="cpu", precision="fp32")(picture(60, 90)).train_ids == expected).all()
    assert publish(path, tmp_path / "out").paths[0].name.startswith("my.best-")
    tested = for_testing(config.load_config(path, work_dir=str(tmp_path / "w")), path)
    assert "/test/my.best-" in tested.work_dir


def test_files_that_are_no_checkpoints_are_named(tmp_path):
    torch.jit.save(torch.jit.trace(torch.nn.Conv2d(3, 3, 1), torch.zeros(1, 3, 4, 4)), tmp_path / "a.pt")
    with raises("E-checkpoint-format", r"a\.pt .*TorchScript"):
        read_checkpoint(tmp_path / "a.pt")
    (tmp_path / "weights.bin").write_bytes(b"\x80\x02\xff")
    with pytest.raises(ConfigError, match=r"weights\.bin"):
        config.load_config(tmp_path / "weights.bin")


def test_weights_of_an_old_file_fit_strictly(content):
    cfg = small_config()
    from mmseg.registry import MODELS

    model = MODELS.build(cfg.model)
    loaded = load_strictly(model, of_mmseg0(content["state_dict"], with_twins=True), "a.pth")
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.items())


def test_an_old_file_is_exported(tmp_path, content, expected):
    path = save_by_numpy1(tmp_path / "a.pth.tar", of_mmseg0(content["state_dict"], with_twins=True), legacy=True)
    predictor = Segmenter(path, CONFIG, device="cpu", precision="fp32", cfg_options=SMALL).predictor
    image = picture(64, 96)
    cfg = config.for_inference(config.load_config(CONFIG, SMALL), path)
    facts = facts_of(predictor, cfg, read_checkpoint(path), path)
    done = export(
        predictor, facts, tmp_path / "a.onnx", "onnx", [image], network=Traceable(predictor.model, cfg), size=(64, 96)
    )
    assert min(done.verdict.agreement) > 0.999
    assert onnxruntime.InferenceSession(tmp_path / "a.onnx").get_outputs()[1].type == "tensor(float)"
    assert facts["classes"] == list(labels.CITYSCAPES.classes)


def test_the_programs_take_old_files(town, trained, tmp_path):
    ours = compat.load_checkpoint_file(trained / "iter_4.pth")
    old = save_by_numpy1(tmp_path / "old.pth.tar", of_mmseg0(ours["state_dict"], with_twins=True), legacy=True)
    bare = save_by_numpy1(tmp_path / "bare.PTH", dict(ours["state_dict"]))
    hub = save_by_numpy1(tmp_path / "hub.ckpt", {**of_mmengine(ours), "message_hub": ours["message_hub"]})

    run(town, "test.py", CONFIG, trained / "iter_4.pth", "--work-dir", tmp_path / "own", "--no-report")
    run(town, "infer.py", CONFIG, trained / "iter_4.pth", "data/rosario", "--out-dir", tmp_path / "own", "--no-vis")
    masks = sorted((tmp_path / "own/pred").rglob("*.png"))
    assert masks
    for path in (old, bare, hub):
        work_dir = tmp_path / path.name.partition(".")[0]
        assert "parameters" in run(town, "model.py", "describe", path).stdout
        run(town, "test.py", CONFIG, path, "--work-dir", work_dir, "--no-report")
        assert scores_in(work_dir) == scores_in(tmp_path / "own")
        run(town, "infer.py", CONFIG, path, "data/rosario", "--out-dir", work_dir, "--no-vis")
        for mask in masks:
            mask_path = work_dir / mask.relative_to(tmp_path / "own")
            assert (np.asarray(Image.open(mask)) == np.asarray(Image.open(mask_path))).all()

    short = [*SHORT, "train_cfg.max_iters=6"]
    done = run(town, "train.py", CONFIG, "--load-from", old, "--work-dir", tmp_path / "tuned", "--dry-run", *short)
    assert "of 119 tensors from" in done.stdout
    assert "averages of MMCV's EMAHook: left out" in done.stdout
    done = run(town, "train.py", CONFIG, "--resume", old, "--work-dir", tmp_path / "no", *short, code=2)
    assert f"--resume: {old} was written by MMSegmentation 0.x, without the state of the run" in done.stderr
    assert "start a new run from its weights with --load-from" in done.stderr
    done = run(town, "train.py", CONFIG, "--resume", bare, "--work-dir", tmp_path / "no", *short, code=2)
    assert "holds weights without the state of the optimizer" in done.stderr
    resumed = run(town, "train.py", CONFIG, "--resume", hub, "--work-dir", tmp_path / "on", *short)
    assert "iter: 4" in resumed.stdout
    run(town, "train.py", CONFIG, "--resume", trained / "iter_4.pth", "--work-dir", tmp_path / "own_on", *short)
    ended, own_end = (compat.load_checkpoint_file(tmp_path / name / "iter_6.pth") for name in ("on", "own_on"))
    assert ended["meta"]["iter"] == 6
    assert all(torch.equal(ended["state_dict"][name], value) for name, value in own_end["state_dict"].items())
