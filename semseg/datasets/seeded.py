"""Random states computed from the seed and the position, so that a resumed run draws the same as an uninterrupted one.

A checkpoint stores no random states: every sample and every iteration starts with states that are computed from the
seed and its number. The number of data loader workers makes no difference.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import broadcast, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import Runner
from mmseg.registry import DATASETS, HOOKS

from semseg.errors import InvalidDataError, MissingDataError, StorageError

UNREADABLE = "unreadable"
"""Key of the meta information of a sample that replaces others: the sentences that say why those cannot be read."""
NUM_TRIED = 4
"""How many samples are tried for one draw."""
_CODES = ("E-data-unreadable", "E-data-missing", "E-data-packed")


class Draw(int):
    """The index of a sample, with the number of its draw in the run.

    Attributes:
        key: seed of the sampler, and number of the draw, counted over all processes.
    """

    key: tuple[int, int]


@DATA_SAMPLERS.register_module()
class SeededSampler(InfiniteSampler):
    """Yield the indices of MMEngine's InfiniteSampler, each as a `Draw`, whose key seeds SeededDataset."""

    def _infinite_indices(self) -> Iterator[Draw]:
        for number, index in enumerate(super()._infinite_indices()):
            draw = Draw(index)
            draw.key = (self.seed, number)
            yield draw


@DATASETS.register_module()
class SeededDataset:
    """A dataset whose random transforms depend only on the draw, not on the process that runs them.

    A sample whose files cannot be read is replaced by the next one in the set that can, or else by the first one that
    this process has read; `UNREADABLE` in its meta information says so.

    Args:
        dataset: the dataset to wrap, or its config. Its transforms draw from `random`, `numpy.random` or `torch`.
        fast: compute transforms of MMSegmentation in less time, see `semseg.datasets.fast_transforms`. Photographs may
            differ by one grey level after they are scaled; later changes of the colours can enlarge it.
        packed: folder or address of a packed set to read instead of the files, see `semseg.datasets.packed`.
    """

    def __init__(self, dataset: Any, fast: bool = False, packed: str | None = None) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self._first: dict | None = None
        # imported here, because with them comes MMSegmentation, which programs import later and quietly
        if packed is not None:
            from semseg.datasets.packed.loading import use_packed

            self.dataset.full_init()  # RareClassDataset counts the masks with the loaders that are replaced
            use_packed(self.dataset, packed)
        if fast:
            from semseg.datasets.fast_transforms import use_fast_steps

            use_fast_steps(self.dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        """Return a sample; an index that is no `Draw` uses the current random states, as without the wrapper."""
        if not isinstance(index, Draw):
            return self.dataset[index]
        sample, failures = self._read(index)
        if failures:
            sample = copy.deepcopy(self._first) if sample is None else sample
            if sample is None or not hasattr(sample.get("data_samples"), "set_metainfo"):
                raise failures[0]
            sample["data_samples"].set_metainfo({UNREADABLE: list(map(str, failures))})
        elif self._first is None:
            self._first = copy.deepcopy(sample)
        return sample

    def _read(self, draw: Draw) -> tuple[Any, list[Exception]]:
        """Return the sample of a draw, or one of those after it, or None; and why others cannot be read."""
        failures: list[Exception] = []
        for number in range(NUM_TRIED):
            try:
                with seeded(*draw.key):
                    return self.dataset[(draw + number) % len(self)], failures
            except (InvalidDataError, MissingDataError, StorageError, OSError) as error:
                if getattr(error, "code", _CODES[0]) not in _CODES and not isinstance(error, StorageError):
                    raise
                failures.append(error)
        return None, failures

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # the attribute is missing while a copy is made
            raise AttributeError(name)
        return getattr(self.dataset, name)


@HOOKS.register_module()
class SeedHook(Hook):
    """Seed the random states before every iteration, and validate with the same buffers in all processes.

    Without a GPU every process has its own running statistics (BN instead of SyncBN). The checkpoint holds those of
    the first process, so all processes validate with these.
    """

    priority = "VERY_HIGH"

    def before_train(self, runner: Runner) -> None:
        """Warn if a resumed run cannot be the same, bit for bit."""
        now = {
            "processes": get_world_size(),
            "images per process": runner.train_dataloader.batch_size,
            "accumulated steps": runner.cfg.optim_wrapper.get("accumulative_counts", 1),
        }
        before = runner.message_hub.runtime_info.get("batch_parts", now)
        changed = [f"{before[name]} {name} before, {value} now" for name, value in now.items() if before[name] != value]
        if runner.iter and changed:
            is_moved = (
                before["processes"] * before["images per process"] != now["processes"] * now["images per process"]
            )
            what = (
                "it goes on at another place in the data"
                if is_moved
                else "the samples and augmentations of a step are the same, the order of the sums, dropout and batch"
                " statistics of a process are not"
            )
            runner.logger.warning(f"resumed with another batch ({'; '.join(changed)}): {what}")
        runner.message_hub.update_info("batch_parts", now)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the random states of this process for this iteration."""
        _seed_all(runner.seed, runner.iter, get_rank())

    def before_val_epoch(self, runner: Runner) -> None:
        """Give every process the buffers of the first one."""
        if get_world_size() > 1:
            for buffer in runner.model.buffers():
                broadcast(buffer)


@contextmanager
def seeded(*key: int) -> Generator[None]:
    """Run a block with random states that are computed from `key`, and restore the states afterwards.

    The states of GPUs stay as they are: they could not be restored without waiting for the GPU.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    for_torch = _seed_python_and_numpy(*key)
    torch.default_generator.manual_seed(for_torch)  # torch.manual_seed takes 0.1 ms in a process without a GPU
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def _seed_all(*key: int) -> None:
    torch.manual_seed(_seed_python_and_numpy(*key))


def _seed_python_and_numpy(*key: int) -> int:
    """Seed the random states of Python and NumPy, and return the seed for those of PyTorch."""
    for_python, for_numpy, for_torch = (int(number) for number in np.random.SeedSequence(key).generate_state(3))
    random.seed(for_python)
    np.random.seed(for_numpy)
    return for_torch
