import pytest

from semseg.launch import slurm
from tests.conftest import raises

TASK = {"SLURM_PROCID": "5", "SLURM_NTASKS": "8", "SLURM_LOCALID": "1", "SLURM_NODELIST": "gpu[07-09,12],login"}


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("gpu7", "gpu7"),
        ("gpu7,gpu8", "gpu7"),
        ("gpu[07-09,12],login", "gpu07"),
        ("gpu[3,5-6]", "gpu3"),
        ("rack[2-3]-node[10-20]", "rack2-node10"),
        ("node-a[1-2].cluster.local", "node-a1.cluster.local"),
    ],
)
def test_the_first_node_of_a_list(nodes, first):
    assert slurm.find_first_node(nodes) == first


def test_ranks_come_from_slurm_and_each_job_has_its_own_port():
    variables = slurm.read_rank_variables({**TASK, "SLURM_JOB_ID": "1234567", "SLURM_STEP_ID": "1"})
    expected = dict(RANK="5", WORLD_SIZE="8", LOCAL_RANK="1", MASTER_ADDR="gpu07", MASTER_PORT="24568")
    assert variables == expected
    given = {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"}
    assert slurm.read_rank_variables({**TASK, **given, "SLURM_JOB_ID": "7"}) == {**expected, **given}
    step = slurm.read_rank_variables({**TASK, "SLURM_STEP_NODELIST": "gpu08"})
    assert step["MASTER_ADDR"] == "gpu08"


def test_a_process_that_srun_did_not_start_is_an_error():
    with raises("E-input-environment", r"`launcher` slurm: .*SLURM_PROCID"):
        slurm.read_rank_variables({})
