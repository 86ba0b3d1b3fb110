from semseg.analysis.comparison.pace import short_run_options
from semseg.config import load_config
from tests.conftest import CONFIG


def test_the_pace_is_measured_with_a_learning_rate_that_cannot_diverge():
    options = short_run_options(load_config(CONFIG), 5)
    cfg = load_config(CONFIG, options)
    assert cfg.train_cfg.max_iters < cfg.train_cfg.val_begin == 41
    assert cfg.optim_wrapper.optimizer.lr == 1e-8
    assert cfg.default_hooks.logger.interval == 5
