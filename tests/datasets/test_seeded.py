"""Draws that depend on the seed and the position alone."""

import itertools
import random

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from torch.utils.data import DataLoader

from semseg.datasets.seeded import SeededDataset, SeededSampler, seeded


class Dice:
    """A dataset whose samples are an index and three throws."""

    metainfo = {"classes": ("a",)}

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return index, random.random(), float(np.random.rand()), float(torch.rand(()))


def take(num_samples, skip=0, **kwargs):
    dataset = SeededDataset(Dice())
    sampler = SeededSampler(dataset, seed=3)
    if skip:
        sampler.skip(skip)
    loader = DataLoader(dataset, sampler=sampler, batch_size=None, **kwargs)
    return list(itertools.islice(loader, num_samples))


def test_indices_are_those_of_the_infinite_sampler():
    stock = list(itertools.islice(InfiniteSampler(Dice(), seed=3), 12))
    assert [sample[0] for sample in take(12)] == stock


def test_throws_are_the_same_with_workers_and_after_a_skip():
    whole = take(12)
    assert take(12, num_workers=2) == whole
    assert take(5, skip=7, num_workers=1) == whole[7:]


def test_two_draws_of_one_sample_differ():
    assert len({sample[1] for sample in take(12)}) == 12


def test_the_random_states_of_the_process_are_restored():
    np.random.seed(0)
    expected = np.random.rand()
    np.random.seed(0)
    with seeded(1, 2):
        np.random.rand()
    assert np.random.rand() == expected


def test_the_wrapped_dataset_shows_its_attributes():
    assert SeededDataset(Dice()).metainfo == {"classes": ("a",)}
    assert len(SeededDataset(Dice())) == 5
