"""Which pictures look like neighbours, and whether groups are confirmed by that."""

import pytest

from semseg.datasets.file_facts import read_image_facts
from semseg.datasets.groups.similarity import chain, choose_sample, confirm
from tests.datasets.groups.drives import frame, other


@pytest.fixture
def thumbnails(tmp_path):
    def read(pictures):
        found = []
        for number, picture in enumerate(pictures):
            picture.save(tmp_path / f"{number}.png")
            found.append(read_image_facts(tmp_path / f"{number}.png", deep=True).thumbnail)
        return found

    return read


def test_frames_of_a_video_are_one_chain_and_others_are_alone(thumbnails):
    pictures = [frame(drive, number, step=1) for drive in (1, 2) for number in range(5)]
    assert chain(thumbnails([*pictures, *map(other, range(4))])) == [0] * 5 + [1] * 5 + [2, 3, 4, 5]


def test_groups_of_drives_are_confirmed_and_mixed_ones_are_not(thumbnails):
    found = thumbnails([frame(drive, number, step=1) for drive in (1, 2, 3) for number in range(6)])
    confirmation = confirm(["abc"[index // 6] for index in range(18)], found)
    assert confirmation.share == 1
    assert confirmation.chance == pytest.approx(5 / 17)
    assert confirmation.is_of_sequences
    assert not confirm(["abc"[index % 3] for index in range(18)], found).holds


def test_few_pictures_confirm_nothing(thumbnails):
    assert confirm(["a", "a", "b"], thumbnails([other(0), other(1), other(2)])) is None


def test_a_sample_has_neighbours_of_many_groups_and_none_that_are_alone():
    groups = [f"g{index // 30}" for index in range(1500)] + ["alone"]
    chosen = choose_sample(groups)
    assert len(chosen) == 240
    assert len({groups[index] for index in chosen}) == 20
    assert 1500 not in chosen
