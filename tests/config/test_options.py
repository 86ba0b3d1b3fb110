"""Options as dataclasses."""

import argparse
from dataclasses import dataclass

import pytest

from semseg.config.options import add_options, duration_s, names_of, option, pick
from semseg.training import options
from semseg.training.features import FEATURES, for_training


@dataclass(frozen=True)
class RateOptions:
    """The rate.

    More about it.
    """

    rate: float | None = option(type=float, metavar="R", help="of learning")
    scale: bool = option(True, flag="--no-scale", action="store_true", help="leave it as it is")
    shared: int = 3


def parsed(*words):
    parser = argparse.ArgumentParser(prog="train")
    add_options(parser, RateOptions)
    return parser.parse_args(words), parser.format_help()


def test_flags_are_made_from_fields():
    args, text = parsed("--rate", "0.5", "--no-scale")
    assert vars(args) == dict(rate=0.5, scale=False)
    assert vars(parsed()[0]) == dict(rate=None, scale=True)
    assert "The rate:\n  --rate R    of learning\n  --no-scale  leave it as it is" in text


def test_options_are_picked_from_those_of_all():
    assert names_of(RateOptions) == {"rate", "scale", "shared"}
    assert pick(RateOptions, dict(rate=1, shared=7, other=2)) == RateOptions(rate=1, scale=True, shared=7)


def test_every_option_of_a_feature_has_a_flag():
    flags = {name for kind in options.ALL for name in names_of(kind)}
    wanted = {name for _, kind in FEATURES for name in names_of(kind)}
    assert wanted - flags == set()


def test_an_option_that_no_feature_has_is_a_type_error():
    with pytest.raises(TypeError, match="for_training has no option 'emma'; expected some of accumulate, amp, "):
        for_training(None, emma=1)


@pytest.mark.parametrize(("text", "seconds"), [("3h", 10800), ("1h30m", 5400), ("90s", 90), ("1.5m", 90)])
def test_lengths_of_time_are_read(text, seconds):
    assert duration_s(text) == seconds
