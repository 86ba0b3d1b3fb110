import pytest

from semseg.config import load_config
from semseg.config.metrics import metrics_of
from tests.conftest import CONFIG, REPO, raises
from tests.training.asked import asked

TRACKING = ("val_loss", "monitor", "ema")

STOCK_METRIC = ["val_evaluator.type=IoUMetric"]


def tracked(options=(), path=CONFIG, **flags):
    return asked(load_config(path, options), *TRACKING, **flags)


def hook(cfg, name):
    """Return the arguments of the only custom hook of a type."""
    (hook_cfg,) = [each for each in cfg.custom_hooks if each["type"] == name]
    return {key: value for key, value in hook_cfg.items() if key != "type"}


def test_a_run_follows_the_score_that_decides_on_the_best_checkpoint():
    cfg = tracked()
    assert hook(cfg, "MonitorHook") == dict(monitor="mIoU", rule="greater", patience=None)
    assert cfg.default_hooks.checkpoint.save_best == "mIoU"
    assert "rule" not in cfg.default_hooks.checkpoint
    assert {"ContinuationHook", "OneCurveHook"} <= {hook["type"] for hook in cfg.custom_hooks}
    cfg = tracked(["default_hooks.checkpoint.save_best=mAcc"], early_stop=3)
    assert hook(cfg, "MonitorHook") == dict(monitor="mAcc", rule="greater", patience=3)


def test_the_iou_of_one_class_can_be_the_monitored_score():
    cfg = tracked(early_stop=10, monitor="IoU/person")
    assert hook(cfg, "MonitorHook") == dict(monitor="IoU/person", rule="greater", patience=10)
    assert cfg.default_hooks.checkpoint.save_best == "IoU/person"
    assert cfg.default_hooks.checkpoint.rule == "greater"


def test_the_validation_loss_can_be_the_monitored_score_and_less_is_better():
    cfg = tracked(early_stop=2, monitor="val/loss", val_loss=True)
    assert hook(cfg, "MonitorHook") == dict(monitor="val/loss", rule="less", patience=2)
    assert cfg.default_hooks.checkpoint.rule == "less"
    assert [evaluator["type"] for evaluator in cfg.val_evaluator] == ["ConfusionMetric", "CrossEntropyMetric"]
    assert cfg.test_evaluator.type == "ConfusionMetric"


def test_averaged_weights_are_a_hook():
    assert hook(tracked(ema=0.0002), "AveragedWeightsHook") == dict(momentum=0.0002)


def test_the_scores_of_a_validation_are_known_beforehand():
    names = metrics_of(load_config(CONFIG))
    assert names[:5] == ["aAcc", "mIoU", "mAcc", "IoU/road", "IoU/sidewalk"]
    assert len(names) == 3 + 2 * 19
    assert metrics_of(load_config(CONFIG, STOCK_METRIC)) == names
    dice = load_config(CONFIG, [*STOCK_METRIC, "val_evaluator.iou_metrics=[mDice,mFscore]", "val_evaluator.prefix=a"])
    assert metrics_of(dice)[:6] == [f"a/{n}" for n in ("aAcc", "mDice", "mAcc", "mFscore", "mPrecision", "mRecall")]
    assert metrics_of(dice)[-1] == "a/Recall/bicycle"
    assert metrics_of(load_config(CONFIG, ["val_evaluator.type=CityscapesMetric"])) is None


def test_an_evaluator_of_unknown_scores_is_followed_only_when_asked():
    unknown = ["val_evaluator.type=CityscapesMetric"]
    assert not [hook for hook in tracked(unknown).custom_hooks if hook["type"] == "MonitorHook"]
    assert hook(tracked(unknown, monitor="averageScoreClasses"), "MonitorHook")["monitor"] == "averageScoreClasses"


def test_the_recipe_of_the_model_zoo_can_be_monitored():
    (stock,) = REPO.glob("configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py")
    assert hook(tracked(path=stock, early_stop=5), "MonitorHook")["patience"] == 5


@pytest.mark.parametrize(
    ("flags", "options", "code", "message"),
    [
        (dict(monitor="IoU/preson"), [], "E-config-metric", "^`monitor` IoU/preson: .* 'IoU/person'[?]$"),
        (dict(monitor="miou"), [], "E-config-metric", "'mIoU'[?]$"),
        (dict(monitor="x"), [], "E-config-metric", "^`monitor` x: .* aAcc, mIoU, mAcc or IoU/<class>$"),
        (dict(monitor="val/loss"), [], "E-config-metric", "^`monitor` val/loss: .* `val_loss`$"),
        (dict(early_stop=0), [], "E-config-range", "^`early_stop` 0: .* 1 or more"),
        (dict(ema=0.999), [], "E-config-range", "^`ema` 0.999: .* 0.0002; a decay of 0.999 is `ema` 0.001$"),
        (dict(ema=0.0), [], "E-config-range", "^`ema` 0.0: .* 0.0002$"),
        (dict(early_stop=1), ["val_evaluator=None"], "E-config-no-validation", "^`early_stop` "),
        (dict(val_loss=True), ["val_evaluator=None"], "E-config-no-validation", "^`val_loss` "),
    ],
)
def test_wrong_options_are_refused(flags, options, code, message):
    with raises(code, message):
        tracked(options, **flags)


def test_options_override_a_config_that_was_written_by_another_run():
    cfg = tracked(early_stop=2, monitor="val/loss", val_loss=True, ema=0.1)
    cfg = asked(cfg, *TRACKING)
    assert hook(cfg, "MonitorHook")["patience"] == 2
    cfg = asked(cfg, *TRACKING, early_stop=4, monitor="mAcc", val_loss=True, ema=0.01)
    assert hook(cfg, "MonitorHook") == dict(monitor="mAcc", rule="greater", patience=4)
    assert hook(cfg, "AveragedWeightsHook") == dict(momentum=0.01)
    assert len(cfg.val_evaluator) == 2


def test_weights_are_not_averaged_twice():
    cfg = load_config(CONFIG)
    cfg.custom_hooks = [dict(type="EMAHook")]
    with raises("E-config-conflict", "^`ema`: .* EMAHook in custom_hooks"):
        asked(cfg, *TRACKING, ema=0.0002)
