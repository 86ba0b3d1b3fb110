import re

import pytest
import torch
from mmseg.models.losses import CrossEntropyLoss

from semseg.system.stopping import Stopped
from semseg.training.overfit import coarsen_mask
from tests.conftest import raises
from tests.training.squares import MODEL
from tests.training.toy_runs import log_of, toy_runner


def overfitted(work_dir, num_images=2, *, max_iters=60, lr=0.05, loss=None, **dataset):
    """Return a run over the first two of six pictures; the network has one score for each pixel."""
    loader = dict(dataset=dict(type="Squares", **dataset), sampler=dict(shuffle=False))
    head = dict(MODEL["decode_head"], loss_decode=loss or dict(type="CrossEntropyLoss"))
    return toy_runner(
        work_dir,
        max_iters,
        hooks=[dict(type="OverfitHook", num_images=num_images)],
        interval=10,
        model=dict(MODEL, decode_head=head, test_cfg=dict(mode="whole")),
        train_dataloader=loader,
        val_dataloader=dict(loader, batch_size=1),
        optim_wrapper=dict(optimizer=dict(lr=lr)),
        val_evaluator=dict(_delete_=True, type="ConfusionMetric"),
        default_hooks=dict(checkpoint=None),
    )


def test_a_cell_has_the_class_of_most_of_its_pixels():
    train_ids = torch.full((1, 8, 8), 1)
    train_ids[:, :4, :4] = 2
    train_ids[:, 0, 0] = 3  # a detail
    mask = coarsen_mask(train_ids, (2, 2))
    assert mask.dtype == train_ids.dtype
    assert mask[0, :3, :3].eq(2).all()
    assert mask[0, 5:, 5:].eq(1).all()


def test_pixels_closer_than_a_quarter_of_a_cell_to_another_class_are_ignored():
    train_ids = torch.ones(1, 8, 16, dtype=torch.long)
    train_ids[:, :, 8:] = 2
    assert coarsen_mask(train_ids, (1, 2))[0, 0].tolist() == [1] * 6 + [255] * 4 + [2] * 6


def test_ignored_pixels_stay_ignored_and_cells_of_one_pixel_change_nothing():
    train_ids = torch.randint(0, 3, (1, 6, 10))
    train_ids[:, 0] = 255
    assert torch.equal(coarsen_mask(train_ids, (6, 10)), train_ids)
    assert coarsen_mask(torch.full((1, 8, 8), 255), (2, 2)).eq(255).all()


def test_the_best_scores_of_a_coarse_grid_reach_the_coarse_mask():
    """They do not reach the full mask: this is why the target is made coarse."""
    mask = torch.zeros(1, 32, 64, dtype=torch.long)
    mask[:, :, 20:22], mask[:, 3:17, 40:60], mask[:, 9:12, 5:9] = 1, 2, 1

    def best_accuracy(target):
        scores = torch.zeros(1, 3, 4, 8, requires_grad=True)
        optimizer = torch.optim.Adam([scores], lr=0.3)
        for _ in range(150):
            enlarged = torch.nn.functional.interpolate(scores, mask.shape[-2:], mode="bilinear")
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(enlarged, target, ignore_index=255).backward()
            optimizer.step()
        return float((enlarged.argmax(1) == target)[target != 255].float().mean())

    assert best_accuracy(mask) < 0.98
    assert best_accuracy(coarsen_mask(mask, (2, 4))) == 1


def test_a_run_ends_as_soon_as_it_has_learned_its_images(tmp_path):
    runner = overfitted(tmp_path, max_iters=400, target=1)  # all of one class
    runner.train()
    assert 0 < runner.iter < 400
    (line,) = [line for line in log_of(runner).splitlines() if "can learn" in line]
    expected = (
        rf"overfit: mIoU \d+\.\d % on 2 images after {runner.iter} iterations \(\d+ s\): the set-up can learn; panels"
    )
    assert re.search(expected, line)


def test_a_run_that_learns_too_little_fails_with_its_loss_and_missing_classes(tmp_path):
    runner = overfitted(tmp_path, max_iters=12, lr=0.0)
    with pytest.raises(Stopped) as stopped:
        runner.train()
    assert stopped.value.exit_code == 1
    sentence = (
        r"overfit: mIoU \d+\.\d % on 2 images after 12 iterations, expected more than 95 %: the loss stayed at \S+, 2"
        r" of 3 classes never found \([abc], [abc]\); try another learning rate than 0, or let more of the model"
        rf" learn; panels: {re.escape(str(runner.log_dir))}/panels"
    )
    assert re.fullmatch(sentence, str(stopped.value))


@pytest.mark.slow
def test_a_run_that_still_improves_fails_with_advice(tmp_path):
    runner = overfitted(tmp_path, max_iters=30)
    hint = r"the loss fell from \S+ to \S+; see if the masks are right, try another learning rate than 0\.05, or more"
    with pytest.raises(Stopped, match=hint + r" iterations \(--cfg-options train_cfg\.max_iters=60\); panels"):
        runner.train()


def test_images_without_labels_are_named_as_the_cause(tmp_path):
    runner = overfitted(tmp_path, max_iters=2, target=255)
    with pytest.raises(
        Stopped, match=r"mIoU nan % on 2 images after 2 iterations, .*: no pixel of them is labelled; pan"
    ):
        runner.train()


def test_more_images_than_there_are_is_refused(tmp_path):
    with raises("E-config-range", "^`overfit` 7: .* 6 images"):
        overfitted(tmp_path, 7).train()


@pytest.mark.slow
@pytest.mark.parametrize("given", [None, [1.0, 2.0, 3.0]])
def test_classes_have_the_same_weight_unless_the_config_sets_others(tmp_path, given):
    runner = overfitted(tmp_path, max_iters=1, loss=dict(type="CrossEntropyLoss", class_weight=given))
    with pytest.raises(Stopped):
        runner.train()
    (loss,) = [module for module in runner.model.modules() if isinstance(module, CrossEntropyLoss)]
    if given is not None:
        assert loss.class_weight == given
        return
    masks = [runner.train_dataloader.dataset[i]["data_samples"].gt_sem_seg.data for i in (0, 1)]
    truth = torch.cat([coarsen_mask(mask, (2, 2)) for mask in masks])
    weighted = {int((truth == value).sum() * weight) for value, weight in enumerate(loss.class_weight)} - {0}
    assert len(weighted) == 1
