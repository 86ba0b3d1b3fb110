"""Which files of several folders belong together: all or an error, never a guess."""

import pytest

from semseg.evaluation.mask_pairs import match_files
from tests.conftest import raises


def folders(root, **names):
    for kind, files in names.items():
        for file in files:
            (root / kind / file).parent.mkdir(parents=True, exist_ok=True)
            (root / kind / file).touch()
    return {kind: root / kind for kind in names}


def matched(root, suffixes=None, **names):
    found = match_files(folders(root, **names), suffixes or {})
    return {
        name: tuple(path.relative_to(root / kind).as_posix() for kind, path in files.items())
        for name, files in found.files.items()
    }, found.endings


def test_files_of_the_same_name_belong_together(tmp_path):
    pairs, endings = matched(tmp_path, p=["a/1_x.png", "a/2_x.png", "note.txt"], t=["a/2_x.gif", "a/1_x.gif"])
    assert pairs == {"a/1_x": ("a/1_x.png", "a/1_x.gif"), "a/2_x": ("a/2_x.png", "a/2_x.gif")}
    assert endings == {"p": "", "t": ""}


def test_an_ending_that_all_files_of_a_folder_share_is_left_out(tmp_path):
    pairs, endings = matched(
        tmp_path,
        p=["01_manual2.gif", "11_manual2.gif", "21_manual2.gif"],
        t=["01_manual1.gif", "11_manual1.gif", "21_manual1.gif"],
        r=["01_test_mask.gif", "11_test_mask.gif", "21_test_mask.gif"],
    )
    assert pairs["11"] == ("11_manual2.gif", "11_manual1.gif", "11_test_mask.gif") and len(pairs) == 3
    assert endings == {"p": "_manual2", "t": "_manual1", "r": "_test_mask"}


@pytest.mark.parametrize(
    ("predictions", "targets"),
    [
        (["a.png", "b.png"], ["a.png", "b.png", "c.png"]),  # one is missing
        (["a_1.png", "b_1.png"], ["a_2.png", "b_2.png"]),  # numbers tell pictures apart
        (["street_1.png"], ["street_2.png"]),  # with one file, nothing tells what is an ending
        (["01_x.png", "02_x.png"], ["01_x.png", "02_y.png"]),
    ],
)
def test_without_a_sure_partner_there_is_an_error_that_names_the_files(tmp_path, predictions, targets):
    with raises("E-data-pairs", "ha(s|ve) no partner in the ") as caught:
        matched(tmp_path, p=predictions, t=targets)
    assert (set(targets) - set(predictions)).pop() in str(caught.value)


def test_given_ends_of_names_choose_the_files(tmp_path):
    pairs, _ = matched(
        tmp_path,
        {"p": ["_pred.png"], "t": ["_manual1.gif"]},
        p=["1_pred.png", "1_overlay.png"],
        t=["1_manual1.gif", "1_manual2.gif"],
    )
    assert pairs == {"1": ("1_pred.png", "1_manual1.gif")}


def test_missing_and_empty_folders_are_named(tmp_path):
    with raises("E-data-missing", "no folder .*nowhere of p"):
        match_files({"p": tmp_path / "nowhere"}, {})
    (tmp_path / "empty").mkdir()
    with raises("E-data-missing", "no file in .*empty ends with"):
        match_files({"p": tmp_path / "empty"}, {})
    with raises("E-data-pairs", "have the same name without suffix"):
        match_files(folders(tmp_path, p=["a.png", "a.gif"]), {})
