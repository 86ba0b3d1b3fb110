"""Convert the environment variables of Slurm to those that torch.distributed reads."""

from __future__ import annotations

import re
from collections.abc import Mapping

from semseg.errors import InvalidInputError


def read_rank_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT of a process that srun started.

    MASTER_ADDR and MASTER_PORT are kept if they are set. Otherwise they are the first node, and a port that depends on
    the job, so that two jobs on one node have different ports.

    Raises:
        ValueError: srun did not start this process.
    """
    try:
        ranks = dict(
            RANK=environment["SLURM_PROCID"],
            WORLD_SIZE=environment["SLURM_NTASKS"],
            LOCAL_RANK=environment["SLURM_LOCALID"],
        )
        nodes = environment.get("SLURM_STEP_NODELIST") or environment["SLURM_NODELIST"]
    except KeyError as error:
        raise InvalidInputError(
            f"`launcher` slurm: no {error.args[0]} in the environment; use tools/slurm_*.sh", code="E-input-environment"
        ) from error
    job = int(environment.get("SLURM_JOB_ID", "0")) + int(environment.get("SLURM_STEP_ID", "0"))
    ranks["MASTER_ADDR"] = environment.get("MASTER_ADDR", find_first_node(nodes))
    ranks["MASTER_PORT"] = environment.get("MASTER_PORT", str(10_000 + job % 20_000))
    return ranks


def find_first_node(nodes: str) -> str:
    """Return the first name of a list in Slurm's notation: `gpu07` of `gpu[07-09,12],login`."""
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])*", nodes)
    assert first is not None  # the pattern matches an empty text too
    return re.sub(r"\[([^\],-]*)[^\]]*\]", r"\1", first[0])
