"""What features change in a config, and that no two of them change the same."""

import pytest
from mmengine.config import Config

from semseg.config.patch import Patch, apply_patch, changes


@pytest.fixture
def cfg():
    return Config(
        dict(
            train_cfg=dict(max_iters=100, by_epoch=False),
            param_scheduler=[dict(type="PolyLR", end=100), dict(type="LinearLR", end=10)],
            train_dataloader=dict(dataset=dict(type="Streets", pipeline=[])),
        )
    )


def test_only_what_an_edit_changes_is_in_its_patch(cfg):
    def edit(edited):
        edited.train_cfg.max_iters = 50
        edited.train_cfg.pop("by_epoch")
        edited.param_scheduler[0].end = 50
        edited.work_dir = "x"

    patch = changes(cfg, edit)
    assert cfg.train_cfg.max_iters == 100  # unchanged
    assert set(patch.values) == {
        *(("train_cfg", "max_iters"), ("train_cfg", "by_epoch")),
        *(("param_scheduler", 0, "end"), ("work_dir",)),
    }
    apply_patch(cfg, patch, "length", {})
    assert cfg.train_cfg == dict(max_iters=50)
    assert [one.end for one in cfg.param_scheduler] == [50, 10]
    assert cfg.work_dir == "x"


def test_values_have_attributes_at_any_depth(cfg):
    apply_patch(cfg, Patch({("model",): dict(heads=[dict(type="A", loss=dict(weight=1))])}), "model", {})
    assert cfg.model.heads[0].loss.weight == 1


@pytest.mark.parametrize("key", [("train_cfg", "max_iters"), ("train_cfg",)])
def test_two_features_that_set_the_same_key_are_an_error(cfg, key):
    owners = {}
    apply_patch(cfg, Patch({("train_cfg", "max_iters"): 1}), "epochs", owners)
    apply_patch(cfg, Patch({("train_cfg", "max_iters"): 2}), "epochs", owners)  # one feature may
    with pytest.raises(RuntimeError, match=r"features epochs and overfit both set train_cfg\.max_iters; only one may"):
        apply_patch(cfg, Patch({key: dict(max_iters=3)}), "overfit", owners)


def test_several_features_may_wrap_a_set_and_add_hooks_and_notes(cfg):
    place = ("train_dataloader", "dataset")
    first = Patch(
        wraps={place: (dict(type="Rare", share=0.5), "dataset")}, hooks=[dict(type="AHook", n=1)], notes=["rare crops"]
    )
    second = Patch(wraps={place: (dict(type="Seeded"), "dataset")}, hooks=[dict(type="AHook", n=2)], notes=["seeds"])
    owners = {}
    apply_patch(cfg, first, "rare_crops", owners)
    apply_patch(cfg, second, "sampling", owners)
    wrapped = cfg.train_dataloader.dataset
    assert (wrapped.type, wrapped.dataset.type, wrapped.dataset.share) == ("Seeded", "Rare", 0.5)
    assert wrapped.dataset.dataset.type == "Streets"
    hooks = {hook["type"]: hook for hook in cfg.custom_hooks}
    assert hooks["AHook"]["n"] == 1  # the config's own, or that of an earlier feature, stays
    assert hooks["NotesHook"]["lines"] == ["rare crops", "seeds"]
