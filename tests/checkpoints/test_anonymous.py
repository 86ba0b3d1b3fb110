import getpass
from pathlib import Path

import pytest

from semseg.checkpoints.anonymous import anonymous_command, anonymous_text


@pytest.fixture
def user(monkeypatch):
    """A function that sets the name of the user."""

    def set_name(name):
        monkeypatch.setattr(getpass, "getuser", lambda: name)
        monkeypatch.setattr(Path, "home", lambda: Path("/home") / name)

    return set_name


@pytest.mark.parametrize("name", ["root", "user", "dataset", "work"])
def test_keys_and_flags_stay_whatever_the_user_is_called(user, name):
    user(name)
    command = "python train.py x.py --work-dir=run --cfg-options dataset.root=x a.user=y"
    assert anonymous_command(command) == command


def test_the_name_of_a_person_is_hidden_in_values(user):
    user("anna")
    assert anonymous_command("train.py --work-dir runs/anna note=anna") == "train.py --work-dir 'runs/***' 'note=***'"
    assert anonymous_text("saved by anna, not by hanna") == "saved by ***, not by hanna"


@pytest.mark.parametrize(
    "address",
    ["file:///home/anna/w.pth", "file:/home/anna/w.pth", "file://localhost/home/anna/w.pth", "sqlite:////home/anna/w.pth",
     "/home/anna/w.pth", "~anna/w.pth", "~/anna/w.pth", "../anna/w.pth", "C:\\Users\\anna\\w.pth"],
)  # fmt: skip
def test_a_file_on_this_machine_is_reduced_to_its_name(user, address):
    user("root")
    assert anonymous_text(f"from {address}, by x") == "from w.pth, by x"
    assert anonymous_text(f"a=[{address},{address}]") == "a=[w.pth,w.pth]"
    for word in (f"load_from={address}", f"--load-from={address}", address):
        quoted = f"'{word}'"
        assert anonymous_command(quoted) == word.replace(address, "w.pth")
    assert anonymous_command(f"'load_from={address.replace('anna', 'anna b')}'") == "load_from=w.pth"


def test_addresses_elsewhere_stay():
    for text in ("https://host/a/w.pth", "s3://bucket/a/w.pth", "open-mmlab://resnet18_v1c", "a/b/w.pth"):
        assert anonymous_text(text) == text
        assert anonymous_command(f"load_from={text}") == f"load_from={text}"
