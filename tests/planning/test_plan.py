import ast

import pytest

from semseg.config import load_config
from semseg.errors import SemsegError
from semseg.planning.options import PlanOptions
from semseg.planning.plan import compose_plan, make_plan
from tests.planning.drawn_sets import squares, write_set
from tests.planning.figures import CPU, GPU, PLAIN, TRIAL, with_figures
from tests.planning.test_picture_rules import THIN


def compose(out, figures=PLAIN, machine=CPU, trial=TRIAL, passes=100, **options):
    return compose_plan(figures, machine, trial, PlanOptions(out=out, **options), "semseg plan data", passes=passes)


@pytest.mark.parametrize("machine", [CPU, GPU])
@pytest.mark.parametrize("figures", [PLAIN, THIN, with_figures(top_bottom=0.0, turn=0.0)])
@pytest.mark.parametrize("minutes", [2, 20])
def test_the_written_config_loads_and_holds_every_choice(tmp_path, figures, machine, minutes):
    path = write_set(tmp_path, squares(), [part.name for part in figures.classes])
    figures = with_figures(**{**vars(figures), "dataset": str(path)})
    passes = 1 if minutes == 2 else 100
    choices, text, _ = compose(tmp_path / "plan.py", figures, machine, passes=passes, minutes=minutes)
    (tmp_path / "plan.py").write_text(text)
    cfg = load_config(tmp_path / "plan.py")
    value = {choice.name: choice.value for choice in choices}
    assert cfg.train_cfg.max_iters == value["iterations"]
    assert cfg.train_dataloader.batch_size == value["batch"]
    assert tuple(cfg.model.data_preprocessor.size) == value["crop"]
    assert cfg.optim_wrapper.optimizer.lr == value["learning rate"]
    assert cfg.model.decode_head.num_classes == len(figures.classes)
    assert cfg.param_scheduler[-1].end == value["iterations"]
    assert max(map(len, text.splitlines())) <= 120 or str(path) in text
    for choice in choices:
        assert f"# {choice.name}: " in text


def test_equal_input_gives_an_equal_config(tmp_path):
    assert compose(tmp_path / "plan.py") == compose(tmp_path / "plan.py")
    assert compose(tmp_path / "plan.py").text != compose(tmp_path / "plan.py", trial=TRIAL._replace(step_s=0.6)).text


def test_every_choice_has_a_reason_of_whole_sentences(tmp_path):
    for choice in compose(tmp_path / "plan.py").choices:
        assert choice.shown, choice
        assert choice.reason.endswith("."), choice


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(minutes=0), "expected a number above 0"),
        (dict(minutes=float("nan")), "expected a number above 0"),
        (dict(out="plan.yaml"), r"expected \*\.py"),
        (dict(pretrained="missing.pth"), "no such file"),
    ],
)
def test_wrong_options_are_refused_before_a_picture_is_read(tmp_path, options, message):
    from pathlib import Path

    options = {name: Path(value) if isinstance(value, str) else value for name, value in options.items()}
    with pytest.raises(SemsegError, match=message):
        make_plan(tmp_path, PlanOptions(**{"out": tmp_path / "plan.py", **options}))


def test_a_set_without_training_pictures_is_refused(tmp_path):
    path = write_set(tmp_path, squares(2), ["ground", "square"], splits=("test",))
    with pytest.raises(SemsegError, match="no split 'train'"):
        make_plan(path, PlanOptions(out=tmp_path / "plan.py"))


def test_the_text_is_python_that_other_programs_can_read(tmp_path):
    ast.parse(compose(tmp_path / "plan.py").text)
