import ast

import pytest
import torch
from mmengine.config import Config
from mmengine.optim.scheduler import CosineRestartLR, ExponentialLR, LinearLR, MultiStepLR, PolyLR, StepLR

from semseg.config import load_config
from semseg.config.schedule import fit_schedule, length_of, scale_schedule
from tests.conftest import CONFIG, REPO, raises

RECIPE = REPO / "configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py"


def spans(path, *options):
    return [(s.begin, s.end) for s in load_config(path, options).param_scheduler]


def test_the_schedule_ends_with_the_run():
    assert spans(RECIPE) == [(0, 80000)]
    assert spans(RECIPE, "train_cfg.max_iters=120000") == [(0, 120000)]
    assert spans(RECIPE, "train_cfg.max_iters=4") == [(0, 4)]


def test_a_warm_up_keeps_its_length():
    assert spans(CONFIG) == [(0, 50), (50, 1000)]
    assert spans(CONFIG, "train_cfg.max_iters=2000") == [(0, 50), (50, 2000)]


def test_a_schedule_that_would_begin_after_the_end_stays():
    assert spans(CONFIG, "train_cfg.max_iters=50") == [(0, 50), (50, 1000)]
    assert spans(CONFIG, "train_cfg.max_iters=51") == [(0, 50), (50, 51)]


@pytest.mark.parametrize("order", [1, -1])
def test_an_end_that_is_set_by_option_stays(order):
    options = ["train_cfg.max_iters=2000", "param_scheduler.1.end=1500"][::order]
    assert spans(CONFIG, *options) == [(0, 50), (50, 1500)]


def schedulers(planned, now, *options, **scheduler):
    cfg = Config(dict(train_cfg=dict(max_iters=now), param_scheduler=dict(scheduler)))
    fit_schedule(cfg, planned, options)
    return cfg.param_scheduler


def test_schedules_that_count_their_own_steps_follow():
    cosine = dict(type="CosineAnnealingLR", T_max=90, begin=10, end=100, by_epoch=False)
    assert schedulers(100, 200, **cosine) == cosine | dict(T_max=190, end=200)
    assert schedulers(100, 200, "param_scheduler.T_max=90", **cosine) == cosine | dict(end=200)
    assert schedulers(100, 200, "param_scheduler.end=100", **cosine) == cosine
    one_cycle = dict(type="OneCycleLR", eta_max=0.1, total_steps=100, end=100, by_epoch=False)
    assert schedulers(100, 200, **one_cycle) == one_cycle | dict(total_steps=200, end=200)


def test_a_schedule_in_epochs_or_of_another_end_stays():
    for scheduler in (dict(type="PolyLR", end=100), dict(type="PolyLR", end=90, by_epoch=False)):
        assert schedulers(100, 200, **scheduler) == scheduler


def test_a_config_without_a_schedule_is_left_alone():
    for content in (dict(), dict(train_cfg=None), dict(train_cfg=dict(max_epochs=3), param_scheduler=None)):
        cfg = Config(content)
        assert length_of(cfg) is None
        fit_schedule(cfg, None)
        assert cfg.to_dict() == content


def scaled_rates(length):
    """Return the learning rates, as shares of the full one, of the recipe with another length."""
    cfg = load_config(CONFIG)
    cfg = load_config(CONFIG, scale_schedule(cfg, length))
    assert length_of(cfg) == length
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    kinds = {"LinearLR": LinearLR, "PolyLR": PolyLR}
    schedulers = [kinds[one.pop("type")](optimizer, **one) for one in cfg.param_scheduler]
    rates = []
    for _ in range(length):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return rates


@pytest.mark.parametrize("length", [4, 24, 50, 400, 3000])
def test_a_scaled_schedule_warms_up_and_comes_to_its_end(length):
    rates = scaled_rates(length)
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1)
    assert rates.index(max(rates)) <= max(2, length * 0.06)
    assert rates[-1] <= 0.1
    assert rates[-1] == min(rates[1:])


def test_the_steps_of_a_cosine_are_scaled_too():
    cosine = dict(type="CosineAnnealingLR", T_max=900, begin=100, end=1000, by_epoch=False)
    cfg = Config(dict(train_cfg=dict(max_iters=1000), param_scheduler=[cosine, dict(cosine, by_epoch=True)]))
    assert scale_schedule(cfg, 200) == [
        "train_cfg.max_iters=200", "param_scheduler.0.begin=20", "param_scheduler.0.end=200",
        "param_scheduler.0.T_max=180",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("scheduler", "settings"),
    [
        (StepLR, dict(step_size=300, gamma=0.5)),
        (MultiStepLR, dict(milestones=[600, 900], gamma=0.1)),
        (ExponentialLR, dict(gamma=0.995)),
        (CosineRestartLR, dict(periods=[400, 600], restart_weights=[1, 0.5], eta_min=0)),
    ],
)
def test_rates_that_fall_at_steps_fall_as_often_in_a_short_run(scheduler, settings):
    def last_rate(num_iters, settings):
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        schedule = scheduler(optimizer, by_epoch=False, **settings)
        for _ in range(num_iters - 1):
            optimizer.step()
            schedule.step()
        return optimizer.param_groups[0]["lr"]

    written = dict(type=scheduler.__name__, by_epoch=False, **settings)
    cfg = Config(dict(train_cfg=dict(type="IterBasedTrainLoop", max_iters=1000), param_scheduler=[written]))
    options = dict(option.split("=") for option in scale_schedule(cfg, 100))
    scaled = {key: ast.literal_eval(options.get(f"param_scheduler.0.{key}", repr(settings[key]))) for key in settings}
    assert last_rate(100, scaled) == pytest.approx(last_rate(1000, settings), rel=0.05, abs=0.01)


def test_a_schedule_by_epochs_is_not_scaled():
    cfg = Config(dict(train_cfg=dict(type="EpochBasedTrainLoop", max_epochs=3), param_scheduler=[]))
    with raises("E-config-unsupported", "trains by epochs"):
        scale_schedule(cfg, 10)
