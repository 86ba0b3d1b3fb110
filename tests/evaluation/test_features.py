"""What the features of an evaluation change in a config, and what the log says about it."""

import pytest
import torch

from semseg.config import load_config
from semseg.evaluation import for_testing
from tests.conftest import CONFIG, raises


@pytest.fixture
def checkpoint_path(tmp_path):
    path = tmp_path / "model.pth"
    torch.save({"state_dict": {}, "meta": {}}, path)
    return path


def lines_of(cfg):
    return [line for hook in cfg.custom_hooks if hook.type == "NotesHook" for line in hook.lines]


def test_each_option_is_set_in_the_config_and_named_in_the_log(checkpoint_path):
    cfg = load_config(CONFIG)
    before = cfg.pretty_text
    tested = for_testing(
        cfg, checkpoint_path, extras="boundary,rows", absent="leave-out", out_dir="masks", show_dir="seen", tta=True
    )
    assert cfg.pretty_text == before
    assert (tested.load_from, tested.resume) == (str(checkpoint_path), False)
    evaluator = tested.test_evaluator
    assert (evaluator.extras, evaluator.absent, evaluator.output_dir) == (["boundary", "rows"], "leave-out", "masks")
    assert [hook.show_dir for hook in tested.custom_hooks if hook.type == "PanelHook"] == ["seen"]
    assert tested.model.module == load_config(CONFIG).model
    assert tested.work_dir.endswith("-tta")
    assert [hook.tta for hook in tested.custom_hooks if hook.type == "ResultsHook"] == [True]
    assert lines_of(tested) == [
        "also counted: boundary, rows",
        "absent classes: leave-out",
        "predicted train ids: masks",
        "a picture of every image: seen",
        "test-time augmentation: the scores of the views of tta_pipeline are averaged",
    ]


def test_without_options_the_log_has_no_line(checkpoint_path):
    assert lines_of(for_testing(load_config(CONFIG), checkpoint_path)) == []


def test_an_unknown_option_is_named_with_the_known_ones(checkpoint_path):
    with pytest.raises(TypeError, match=r"no option 'ttaa'; expected some of absent, extras, map_path, .*, tta$"):
        for_testing(load_config(CONFIG), checkpoint_path, ttaa=True)


@pytest.mark.parametrize(
    ("options", "code", "values"),
    [
        (dict(extras="bogus"), "E-input-choice", "'bogus' .* boundary, trimap"),
        (dict(extras="calibration", tta=True), "E-input-conflict", "`extras` calibration .*`tta`"),
        (dict(map_path="none.yaml"), "E-config-class-map", "model.pth does not list its classes"),
    ],
)
def test_options_that_cannot_be_used_are_refused(checkpoint_path, options, code, values):
    with raises(code, values):
        for_testing(load_config(CONFIG), checkpoint_path, **options)


def test_what_the_config_lacks_is_named_with_its_key(checkpoint_path):
    cfg = load_config(CONFIG)
    cfg.pop("tta_model")
    with raises("E-config-key", "`tta` needs tta_model"):
        for_testing(cfg, checkpoint_path, tta=True)
    cfg.test_evaluator = dict(type="DepthMetric")
    with raises("E-config-evaluator", "`out_dir` needs a ConfusionMetric.* DepthMetric"):
        for_testing(cfg, checkpoint_path, out_dir="masks")
