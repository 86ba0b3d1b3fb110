"""Words that messages share."""

import sys

import pytest

from semseg.system.wording import FLAGS, for_people, listing


def test_a_listing_names_the_first_ones_and_counts_the_rest():
    assert listing([]) == ""
    assert listing("abc") == "a, b, c"
    assert listing("abcd") == "a, b, c and 1 more"
    assert listing(range(12), 2) == "0, 1 and 10 more"


@pytest.mark.parametrize(
    ("started", "message", "shown"),
    [
        ("tools/test.py", "run tools/dataset.py check x", "run tools/dataset.py check x"),
        ("semseg test", "run tools/dataset.py check x", "run semseg data check x"),
        ("/usr/bin/semseg", "tools/analyze.py report x", "semseg report x"),
        ("semseg data", "tools/train.py and tools/model.py export", "semseg train and semseg model export"),
        ("semseg data", "run tools/convert_datasets/cityscapes.py x", "run semseg data convert-cityscapes x"),
    ],
)
def test_a_message_names_the_command_that_was_started(monkeypatch, started, message, shown):
    monkeypatch.setattr(sys, "argv", [started])
    assert for_people(message) == shown


def test_an_option_keeps_its_name_unless_the_program_has_it_as_a_flag():
    assert for_people("`ema` 2: leave `tta` out") == "`ema` 2: leave `tta` out"
    FLAGS["ema"] = "--ema"
    assert for_people("`ema` 2: leave `tta` out") == "--ema 2: leave `tta` out"
