"""What torch.distributed asks of the environment, from what Slurm says in it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from semseg.errors import InvalidInputError


def rank_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT of a process that srun started.

    MASTER_ADDR and MASTER_PORT stay when they are set; else it is the first node, and a port of its own for each
    job, so that two jobs on one node do not meet.

    Raises:
        ValueError: srun has not started this process.
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
            f"--launcher slurm: no {error.args[0]} in the environment; use tools/slurm_*.sh"
        ) from error
    job = int(environment.get("SLURM_JOB_ID", "0")) + int(environment.get("SLURM_STEP_ID", "0"))
    ranks["MASTER_ADDR"] = environment.get("MASTER_ADDR", first_node(nodes))
    ranks["MASTER_PORT"] = environment.get("MASTER_PORT", str(10_000 + job % 20_000))
    return ranks


def first_node(nodes: str) -> str:
    """Return the first name of a list as Slurm writes it: `gpu[07-09,12],login` is `gpu07`."""
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])*", nodes).group()
    return re.sub(r"\[([^\],-]*)[^\]]*\]", r"\1", first)
