"""The options of a Segmenter and the flags of the programs are the same."""

import dataclasses

import pytest

from semseg.cli import infer, serve
from semseg.inference.options import ModelOptions, PredictionOptions, SegmenterOptions


@pytest.mark.parametrize(("program", "words"), [(infer, ["a.pth", "b.jpg"]), (serve, ["a.pth"])])
def test_flags_have_the_defaults_of_the_options(program, words):
    args = program.parse_args(words)
    for field in (*dataclasses.fields(ModelOptions), *dataclasses.fields(PredictionOptions)):
        value = getattr(args, field.name)
        assert (tuple(value) if isinstance(value, list) else value) == field.default, field.name


def test_flags_set_the_options():
    flags = ["--tile", "512", "--overlap", "0.5", "--cfg-options", "a=1", "--cfg-options", "b=2", "c=3", "--compile"]
    args = infer.parse_args(["a.pth", "b.jpg", *flags])
    assert (args.tile, args.overlap, args.cfg_options, args.compile) == (512, 0.5, ["a=1", "b=2", "c=3"], True)


def test_a_segmenter_has_all_options_of_the_programs():
    names = {field.name for field in dataclasses.fields(SegmenterOptions)}
    for kind in (ModelOptions, PredictionOptions):
        assert {field.name for field in dataclasses.fields(kind)} < names
