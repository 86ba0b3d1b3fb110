import pytest

from semseg.training.resume_sizes import compare_sizes


def config(size):
    return {"model": {"data_preprocessor": {"size": size}}}


def test_other_sizes_are_a_difference_and_a_list_is_a_tuple():
    difference = compare_sizes(config([64, 96]), config((64, 128)), has_rare_crops=False)
    assert difference.options == "'model.data_preprocessor.size=[64,96]'"
    assert compare_sizes(config([64, 96]), config((64, 96)), has_rare_crops=False) is None


@pytest.mark.parametrize("value", ["\x1b[2J", [64, "\x1b[2J"], {"a": 1}])
def test_what_is_no_number_in_a_description_is_not_shown(value):
    assert compare_sizes(config(value), config((64, 128)), has_rare_crops=False) is None
