"""Models that were made faster, compared with the original ones."""

import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from semseg import labels
from semseg.config import for_inference, load_config
from semseg.datasets.toycity.write import plan_cityscapes, write_picture
from semseg.inference import Predictor
from semseg.inference.precision import choose_precision, make_fast
from semseg.system import machine
from tests.checkpoints.described import checkpoint, save, small_config
from tests.conftest import CONFIG, REPO, raises
from tests.inference.test_predictor import lively_checkpoint, picture, predictor_of

CPU = torch.device("cpu")


def small_model(**backbone):
    init_default_scope("mmseg")
    cfg = small_config()
    cfg.model.backbone.update(backbone)
    model = MODELS.build(cfg.model)
    model.load_state_dict(checkpoint(cfg)["state_dict"])
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):  # as after a training
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.normal_(module.bias)
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("vendor", "flags", "expected"),
    [
        ("GenuineIntel", {"avx2", "amx_bf16", "avx512_bf16"}, ("bf16", "the CPU has amx_bf16")),
        ("GenuineIntel", {"avx512_bf16"}, ("fp32", "the CPU has avx512_bf16, which is slow without amx_bf16")),
        ("AuthenticAMD", {"avx2", "avx512_bf16"}, ("bf16", "the CPU has avx512_bf16")),
        ("AuthenticAMD", {"avx2", "avx512f"}, ("fp32", "the CPU has neither amx_bf16 nor avx512_bf16")),
    ],
)
def test_auto_is_bf16_on_a_cpu_that_is_fast_at_it(tmp_path, monkeypatch, vendor, flags, expected):
    lines = ("processor\t: 0", f"vendor_id\t: {vendor}", f"flags\t\t: fpu {' '.join(flags)}", "bugs\t\t:", "")
    (tmp_path / "cpuinfo").write_text("\n".join(lines))
    monkeypatch.setattr(machine, "Path", lambda _: tmp_path / "cpuinfo")
    assert choose_precision("auto", CPU) == expected


def test_other_precisions_are_refused(tmp_path):
    assert choose_precision("fp16", CPU) == ("fp16", "as asked")
    with raises("E-input-choice", "`precision` 'int8': .* auto, fp32, bf16, fp16"):
        predictor_of(tmp_path, precision="int8")


def test_fusing_removes_batch_norms_and_keeps_the_scores():
    model = small_model()
    inputs = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model(inputs)
        fast, fused = make_fast(model, "fp32")
        assert fused
        assert not any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in fast.backbone.modules())
        assert not any(weights.requires_grad for weights in fast.parameters())
        assert (fast(inputs) - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("channels", (19, 64))  # as many as the classifier has, or others: a DDRNet has both
def test_batch_norms_at_other_positions_stay(channels):
    model = small_model()
    stray = torch.nn.BatchNorm2d(
        channels
    ).eval()  # follows the classifier in the list of modules, but not in the network
    torch.nn.init.normal_(stray.bias)
    model.decode_head.stray = stray.requires_grad_(False)
    before = model.state_dict()
    fast, fused = make_fast(model, "fp32")
    assert not fused
    assert fast.state_dict().keys() == before.keys()


@pytest.mark.parametrize("name", ["ddrnet_23-slim", "pidnet-s", "cgnet_fcn"])
def test_a_model_with_norms_before_their_convolutions_stays_as_it_is(name):
    init_default_scope("mmseg")
    model = MODELS.build(load_config(f"{name}_1xb4-1000_toycity-128x256").model).eval().requires_grad_(False)
    inputs = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    expected = model(inputs)
    fast, fused = make_fast(model, "fp32")
    assert not fused
    assert (fast(inputs) - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("kind", ["bf16", "fp16"])
def test_fewer_bits_predict_nearly_the_same(tmp_path, kind):
    exact, rounded = predictor_of(tmp_path), predictor_of(tmp_path, precision=kind)
    assert rounded.notes[0].startswith(f"precision: {kind} (as asked), fused batch norms, channels-last")
    assert rounded.model.backbone.stem[0].weight.dtype == (torch.bfloat16 if kind == "bf16" else torch.float16)
    image = picture(128, 256)
    expected, found = (p.predict([image], confidence=True)[0] for p in (exact, rounded))
    assert (found.train_ids == expected.train_ids).mean() > 0.95  # random weights are uncertain at every pixel
    assert np.abs(found.confidence - expected.confidence).mean() < 0.02
    assert rounded(image).dtype == np.uint8


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """Photographs of ToyCity and their train ids; the same number again to learn from."""
    root = tmp_path_factory.mktemp("toycity")
    found = {"train": [], "val": []}
    for planned in plan_cityscapes(root, {"train": 6, "val": 4}, (320, 160), seed=0):
        for path in (planned.image_path, planned.label_ids_path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(planned)
        image = cv2.cvtColor(cv2.imread(str(planned.image_path)), cv2.COLOR_BGR2RGB)
        label_ids = cv2.imread(str(planned.label_ids_path), cv2.IMREAD_UNCHANGED)
        split = "train" if "train" in planned.image_path.parts else "val"
        found[split].append((image, labels.CITYSCAPES.to_train_ids(label_ids)))
    return found


@pytest.fixture(scope="module")
def learnt(streets, tmp_path_factory):
    """A checkpoint whose classifier is fitted to the photographs, by least squares on random features."""
    widths = [
        "backbone.base_channels=16",
        "backbone.stem_channels=16",
        "decode_head.in_channels=64",
        "decode_head.channels=64",
        "auxiliary_head.in_channels=32",
        "decode_head.in_index=1",
    ]
    cfg = load_config(CONFIG, [f"model.{width}" for width in widths])
    cfg.model.decode_head.in_channels = 32
    content = lively_checkpoint(cfg)
    path = tmp_path_factory.mktemp("learnt") / "model.pth"
    predictor = Predictor(for_inference(cfg, save(path, content)), path, "cpu")
    seen = []
    predictor.model.decode_head.conv_seg.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0]))
    targets = []
    for image, train_ids in streets["train"]:
        predictor(image)
        small = cv2.resize(train_ids, seen[-1].shape[:0:-1], interpolation=cv2.INTER_NEAREST)
        targets.append(torch.from_numpy(small.astype(np.int64)).flatten())
    features = torch.cat([found.flatten(1) for found in seen], dim=1).T
    target = torch.cat(targets)
    features, target = features[target < 255].double(), torch.nn.functional.one_hot(target[target < 255], 19).double()
    features = torch.cat([features, torch.ones(len(features), 1)], dim=1)
    gram = features.T @ features
    fitted = torch.linalg.solve(gram + 1e-6 * gram.trace() / len(gram) * torch.eye(len(gram)), features.T @ target)
    content["state_dict"]["decode_head.conv_seg.weight"] = fitted[:-1].T.float()[:, :, None, None].contiguous()
    content["state_dict"]["decode_head.conv_seg.bias"] = fitted[-1].float()
    return cfg, save(path, content)


def mean_iou(predicted, target):
    seen = target < 255
    counts = np.bincount(target[seen].astype(int) * 19 + predicted[seen], minlength=361).reshape(19, 19)
    union = counts.sum(axis=0) + counts.sum(axis=1) - counts.diagonal()
    return 100 * (counts.diagonal()[union > 0] / union[union > 0]).mean()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bf16", "fp16"])
def test_on_toycity_fewer_bits_hardly_change_the_score(learnt, streets, kind):
    cfg, path = learnt
    exact, rounded = (Predictor(for_inference(cfg, path), path, "cpu", precision=p) for p in ("fp32", kind))
    expected, found = (
        np.stack([predictor.predict([image])[0].train_ids for image, _ in streets["val"]])
        for predictor in (exact, rounded)
    )
    target = np.stack([train_ids for _, train_ids in streets["val"]])
    assert len(np.unique(expected)) > 3
    assert mean_iou(expected, target) > 5
    assert (found == expected).mean() >= 0.99
    assert abs(mean_iou(found, target) - mean_iou(expected, target)) <= 0.2


# in a process of its own, since PyTorch's threads stay; one stage, since every convolution takes a second
COMPILED = """
import sys
from pathlib import Path

from semseg.config import for_inference
from semseg.inference import Predictor
from semseg.system import machine
from tests.checkpoints.described import save, small_config
from tests.inference.test_predictor import AS_IT_IS, lively_checkpoint, picture

one_stage = ["num_stages=1", "out_indices=(0,)", "strides=(1,)", "dilations=(1,)"]
heads = [f"{head}.{change}" for head in ("decode_head", "auxiliary_head") for change in ("in_channels=2", "in_index=0")]
cfg = small_config(*(f"model.backbone.{change}" for change in one_stage), *(f"model.{change}" for change in heads))
cfg.test_dataloader.dataset.pipeline = AS_IT_IS
path = save(Path(sys.argv[1]) / "model.pth", lively_checkpoint(cfg))
stock, compiled = (Predictor(for_inference(cfg, path), path, "cpu", compile=yes) for yes in (False, True))
image = picture(128, 128)
print((compiled.predict([image])[0].train_ids == stock.predict([image])[0].train_ids).mean())
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="PyTorch generates C++")
def test_generated_code_predicts_the_same(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run([sys.executable, "-c", COMPILED, tmp_path], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) > 0.999


def test_a_model_that_pytorch_cannot_compile_is_an_error(tmp_path, monkeypatch):
    def refuse(function):
        def call(*_):
            raise RuntimeError("No working C++ compiler found\nin many lines")

        return call

    monkeypatch.setattr(torch, "compile", refuse)
    said = r"`compile`: PyTorch cannot .* \(RuntimeError: No working C\+\+ compiler found\); it needs a C\+\+ compiler"
    with raises("E-input-compile", said):
        predictor_of(tmp_path, compile=True)
