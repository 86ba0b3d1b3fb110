"""Each `test_stock…` fails when MMSegmentation has fixed a defect: then remove its repair in compat/losses.py."""

import pytest
import torch
from mmseg.registry import MODELS

from semseg import compat
from tests.conftest import run_code

compat.repair()
NUM_CLASSES = 5
STOCK = """
import torch
from semseg import compat
compat.import_quietly()
from mmseg.registry import MODELS

focal, lovasz = (MODELS.build(loss) for loss in (dict(type='FocalLoss'), dict(type='LovaszLoss', reduction='none')))
scores, target = torch.randn(2, 5, 4, 4), torch.full((2, 4, 4), 255)

def tried(loss):
    try:
        return loss(scores, target).mean()
    except (RuntimeError, IndexError) as error:
        return str(error)

print(tried(focal))
print(tried(lovasz))
target[0, 0, 0] = 1
print(tried(lovasz))
"""


def batch(labels=(0, 1, 2)):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, NUM_CLASSES, 4, 6, generator=generator, requires_grad=True)
    target = torch.tensor(labels)[torch.randint(len(labels), (2, 4, 6), generator=generator)]
    target[:, 0] = 255
    return scores, target


@pytest.mark.slow
def test_stock_losses_fail_on_a_cpu_or_on_few_pixels(tmp_path):
    done = run_code(tmp_path, STOCK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "The size of tensor a (5) must match the size of tensor b (32) at non-singleton dimension 1",  # focal
        "tensor(nan)",  # Lovász, no pixel
        "Dimension out of range (expected to be in range of [-1, 0], but got 1)",  # Lovász, one pixel
    ]


def test_the_focal_loss_follows_its_formula():
    scores, target = batch()
    weights = [1.0, 2.0, 0.5, 1.0, 3.0]
    computed = MODELS.build(dict(type="FocalLoss", gamma=2.0, alpha=0.3, class_weight=weights))(scores, target)
    total = 0.0
    for image, y, x in (target != 255).nonzero().tolist():
        for train_id, weight in enumerate(weights):
            p = scores[image, train_id, y, x].sigmoid()
            is_class = target[image, y, x] == train_id
            total += weight * (-0.3 * (1 - p) ** 2 * p.log() if is_class else -0.7 * p**2 * (1 - p).log())
    torch.testing.assert_close(computed, total / scores.numel())


def test_the_focal_loss_takes_weights_of_pixels_and_keeps_the_shape():
    scores, target = batch()
    loss = MODELS.build(dict(type="FocalLoss"))
    by_pixel = loss(scores, target, reduction_override="none")
    assert by_pixel.shape == scores.shape
    assert not by_pixel.detach().movedim(1, -1)[target == 255].any()
    weight = torch.zeros(target.shape)
    weight[0, 2, 3] = 1.0
    torch.testing.assert_close(loss(scores, target, weight), by_pixel[0, :, 2, 3].sum() / scores.numel())


def test_the_focal_loss_of_one_class_is_binary():
    scores, target = batch(labels=(0, 1))
    loss = MODELS.build(dict(type="FocalLoss"))
    by_pixel = loss(scores[:, :1], target, reduction_override="none")[:, 0]
    p = scores[:, 0].sigmoid()
    expected = torch.where(target == 1, -0.5 * (1 - p) ** 2 * p.log(), -0.5 * p**2 * (1 - p).log())
    torch.testing.assert_close(by_pixel[target != 255], expected[target != 255])


def test_a_focal_loss_can_be_built_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    MODELS.build(dict(type="FocalLoss"))


@pytest.mark.parametrize("per_image", [False, True])
def test_the_lovasz_loss_of_nothing_is_zero_and_of_one_pixel_its_error(per_image):
    loss = MODELS.build(dict(type="LovaszLoss", per_image=per_image, reduction="mean" if per_image else "none"))
    scores, target = batch()
    target[:] = 255
    nothing = loss(scores, target)
    nothing.backward()
    assert nothing.shape == () and nothing == 0 and not scores.grad.any()
    target[:, 0, 0] = 1  # one in each image
    computed = loss(scores, target)
    errors = 1 - scores.softmax(dim=1)[:, 1, 0, 0]
    torch.testing.assert_close(computed, errors.mean() if per_image else errors.max() * 0.5 + errors.min() * 0.5)
    target[1] = 255
    scale = 0.5 if per_image else 1.0
    torch.testing.assert_close(loss(scores, target), errors[0] * scale)


VALUES = """
import itertools, torch
from mmseg.registry import MODELS

def values():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 5, 4, 6, generator=generator)
    target = torch.randint(5, (2, 4, 6), generator=generator)
    target[:, 0] = 255
    weights = [1.0, 2.0, 0.5, 1.0, 3.0]
    losses = [dict(type="CrossEntropyLoss", class_weight=weights), dict(type="CrossEntropyLoss"),
              dict(type="CrossEntropyLoss", avg_non_ignore=True), dict(type="CrossEntropyLoss", loss_weight=0.4)]
    losses += [dict(type="LovaszLoss", reduction=how, per_image=how == "mean") for how in ("none", "mean")]
    losses += [dict(type="TverskyLoss"), dict(type="DiceLoss")]
    return [float(MODELS.build(loss)(scores, target, ignore_index=255)).hex() for loss in losses]
"""


@pytest.mark.slow
def test_the_repairs_change_no_bit_of_a_loss_that_works_without_them(tmp_path):
    names = {}
    exec(VALUES, names)
    done = run_code(tmp_path, f"{VALUES}\nimport mmseg.models\nprint(*values())")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == names["values"](), done.stderr
