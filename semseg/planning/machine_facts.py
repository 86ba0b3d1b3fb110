"""What a plan knows of the machine: what it is, and how long a step takes on it."""

from __future__ import annotations

from typing import NamedTuple


class Machine(NamedTuple):
    """The machine that trains.

    Attributes:
        device: cpu or cuda.
        name: of the GPU, or of the CPU.
        num_cpus: that this process may use.
        memory_bytes: that a training can allocate: of the GPU, or of the machine.
    """

    device: str
    name: str
    num_cpus: int
    memory_bytes: int


class Trial(NamedTuple):
    """A few steps of the planned training.

    Attributes:
        step_s: median seconds of a training step with the loading that it waits for.
        sample_s: seconds to load one sample in one process.
        picture_s: seconds to validate a picture.
        start_s: seconds from the start of the program to the first step.
        step_bytes: peak memory of the steps.
        batch_size: of the steps.
    """

    step_s: float
    sample_s: float
    picture_s: float
    start_s: float
    step_bytes: int
    batch_size: int
