"""Which evidence is used for groups, and what is said about it."""

import pytest

from semseg.datasets.groups.propose import propose
from tests.conftest import raises
from tests.datasets.groups.drives import exif, frame, other


@pytest.fixture
def save(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))

    def write(pictures, **options):
        for name, picture in pictures.items():
            path = tmp_path / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path, **{key: values[name] for key, values in options.items()})
        return [tmp_path / "set" / name for name in pictures]

    return write


def test_names_are_sure_if_pictures_look_like_their_group(save):
    paths = save({f"drive{drive}_{number:03}.png": frame(drive, number) for drive in (1, 2) for number in range(6)})
    grouping = propose(paths)
    assert (grouping.rule, grouping.is_sure) == ("names", True)
    assert grouping.groups == ("drive1",) * 6 + ("drive2",) * 6
    assert grouping.evidence == (
        "file names up to the last number: 2 groups of 6 images; for 100% of 12 sampled pictures the most similar one"
        " is in their group (45% by chance)"
    )


def test_names_that_pictures_do_not_confirm_are_a_guess(save):
    grouping = propose(save({f"site{number % 2}_{number:03}.png": other(number) for number in range(12)}))
    assert (grouping.rule, grouping.is_sure) == ("names", False)
    assert "not confirmed: for " in grouping.evidence


def test_most_pictures_alone_are_grouped_by_the_number_before(save):
    names = [f"{city}_{number:06}_{19 + number // 5:06}.png" for city in ("aachen", "ulm") for number in range(6)]
    grouping = propose(save({name: frame(len(name), place) for place, name in enumerate(names)}))
    assert grouping.groups == ("aachen",) * 6 + ("ulm",) * 6
    assert grouping.evidence.startswith("file names up to the second last number: 2 groups of 6 images")


def test_a_camera_s_counter_is_no_group_but_its_clock_is(save):
    names = [f"DJI_{number:04}.JPG" for number in range(6)]
    times = [f"2024:05:01 12:{minute:02}:00" for minute in (0, 1, 2, 20, 21, 40)]
    data = {name: exif(taken) for name, taken in zip(names, times, strict=True)}
    paths = save({name: other(place) for place, name in enumerate(names)}, exif=data)
    grouping = propose(paths)
    assert propose(paths) == grouping  # from the cache
    assert (grouping.rule, grouping.is_sure) == ("capture", True)
    assert grouping.groups == ("DJI_0000#0",) * 3 + ("DJI_0003#1",) * 2 + ("DJI_0005#2",)
    assert grouping.evidence == "time and place (within 60 s by one camera, or within 25 m): 3 groups of 1 to 3 images"


def test_similar_pictures_alone_are_a_guess(save):
    pictures = {f"{number:03}.png": frame(number // 4, number % 4, step=1) for number in range(12)}
    grouping = propose(save(pictures))
    assert (grouping.rule, grouping.is_sure) == ("similarity", False)
    assert [group.partition("#")[0] for group in grouping.groups] == ["000"] * 4 + ["004"] * 4 + ["008"] * 4


def test_no_evidence_is_an_error_that_names_what_was_tried(save):
    paths = save({f"{number:03}.png": other(number) for number in range(12)})
    message = (
        r"auto finds no groups: file names and folders tell no groups \(first 000\.png\); 0 of 12 images have a time"
        r" or a place; .*folder, prefix or regex:PATTERN"
    )
    with raises("E-data-groups", message):
        propose(paths)


def test_kinds_of_pictures_are_no_groups(save):
    paths = save({f"{kind}_{number:03}.png": other(number) for number, kind in enumerate(["cow", "horse"] * 6)})
    with raises("E-data-groups", r"may be kinds of images \(cow, horse\)"):
        propose(paths)


def test_broken_pictures_do_not_matter_where_names_tell(save):
    paths = save({f"drive{drive}_{number:03}.png": frame(drive, number) for drive in (1, 2) for number in range(6)})
    paths[0].write_bytes(b"")
    assert propose(paths).groups == ("drive1",) * 6 + ("drive2",) * 6
