"""The check before a training or a test, in the real programs."""

import pytest

from semseg.checks.gate import check_before_run
from tests.checks.sets import plain_config, write_set
from tests.conftest import CONFIG, SHORT, raises, run


@pytest.fixture
def x(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    return write_set(tmp_path / "x").parent.relative_to(tmp_path)


def test_a_healthy_set_passes_without_output(x, capfd):
    check_before_run(plain_config(x), "train")
    assert capfd.readouterr() == ("", "")


def test_errors_are_raised_in_one_block_and_warnings_printed(x, capsys):
    (x / "masks/train/00.png").write_bytes(b"")
    (x / "images/val/00.png").unlink()
    with raises("E-data-findings", r"x/masks/train/00\.png \(zero bytes\)") as caught:
        check_before_run(plain_config(x), "train")
    assert str(caught.value).splitlines() == [
        "the data of the config cannot be used as it is (`check` goes on with it):",
        "  train: 1 of 8 files cannot be read: x/masks/train/00.png (zero bytes); copy them again, or"
        " remove these pairs",
    ]
    assert capsys.readouterr().out == (
        "warning: val: 1 of 2 masks have no image and are left out, first x/masks/val/00.png; add the"
        " images, or remove"
        " the masks\n"
    )


def test_before_a_test_only_the_test_set_is_checked(x):
    (x / "masks/train/00.png").write_bytes(b"")
    check_before_run(plain_config(x), "test")


@pytest.mark.slow
def test_training_on_a_broken_set_ends_before_it_begins(tmp_path, town):
    path = write_set(tmp_path, classes="cityscapes")
    (tmp_path / "masks/train/02.png").write_bytes(b"")
    command = [CONFIG, "--data", path, "--work-dir", tmp_path / "work"]
    sentence = f"train: 1 of 8 files cannot be read: {tmp_path}/masks/train/02.png (zero bytes)"

    done = run(town, "train.py", *command, *SHORT, code=2)
    assert sentence in done.stderr
    assert "(--no-check goes on with it)" in done.stderr
    assert "[E-data-findings]" in done.stderr
    assert "Iter(train)" not in done.stdout
    done = run(town, "dist_train.sh", CONFIG, 2, *command[1:], *SHORT, code=2)
    assert done.stderr.count(sentence) == 1

    done = run(town, "dataset.py", "check", CONFIG, "--data", path, code=2)
    assert sentence in done.stdout
    (tmp_path / "images/train/02.png").unlink()  # so that this pair is not trained on
    done = run(town, "train.py", *command, "--no-check", *SHORT)
    assert "Iter(train) [4/4]" in done.stdout


@pytest.mark.slow
def test_the_program_exits_0_for_warnings_and_2_for_errors(tmp_path):
    path = write_set(tmp_path, classes=["road", "grass", "sky", "rider"])
    done = run(tmp_path, "dataset.py", "check", "dataset.yaml", "--json", "found/all.json")
    assert done.stdout.splitlines()[0].startswith("warning  train: no pixel of rider in 4 masks")
    assert done.stdout.splitlines()[-1].startswith(
        "dataset.yaml: 2 warnings; 4 pairs of train, 2 pairs of val; 12 files"
    )
    assert (tmp_path / "found/all.json").is_file()
    (tmp_path / "masks/val/01.png").write_bytes(b"")
    done = run(tmp_path, "dataset.py", "check", path, "--deep", "--split", "val", code=2)
    assert "error    val: 1 of 4 files cannot be read" in done.stdout
    assert done.stderr == ""
