"""The files of examples/cluster: their commands run with the variables that each scheduler sets, on a tiny folder."""

import ast
import os
import re
import shlex
import subprocess
import sys

import pytest
import torch
import yaml
from PIL import Image

from semseg.cli.infer import parse_args
from tests.checkpoints.described import small_config
from tests.cli.test_shards import results, tables
from tests.conftest import REPO, run
from tests.inference.lively import picture
from tests.inference.test_predictor import lively_checkpoint

FOLDER = REPO / "examples/cluster"
SLURM = FOLDER / "slurm_array.sh"
README = (FOLDER / "README.md").read_text()
SKYPILOT_FIELDS = {  # https://docs.skypilot.co/en/latest/reference/yaml-spec.html
    "name", "workdir", "num_nodes", "resources", "envs", "secrets", "volumes", "file_mounts", "setup", "run",
}  # fmt: skip


def kubernetes_job():
    return yaml.safe_load((FOLDER / "kubernetes_job.yaml").read_text())


def skypilot_task():
    return yaml.safe_load((FOLDER / "skypilot.yaml").read_text())


def container():
    (container,) = kubernetes_job()["spec"]["template"]["spec"]["containers"]
    return container


def tasks(name, place):
    """Return the command of a file, and the variables of each of three shards."""
    if name == "slurm":
        return ["bash", str(SLURM)], [
            {"SLURM_ARRAY_TASK_ID": str(i), "SLURM_ARRAY_TASK_COUNT": "3"} for i in range(1, 4)
        ]
    if name == "xargs":
        (line,) = re.findall(r"^seq 8 .*$", README, re.MULTILINE)
        return ["bash", "-c", line.replace("seq 8", "seq 3").replace("{}/8", "{}/3").replace("-P 4", "-P 1")], [{}]
    if name == "kubernetes":
        command, variables = [*container()["command"], *container()["args"]], ("JOB_COMPLETION_INDEX", "SHARDS")
    else:
        command, variables = ["bash", "-c", skypilot_task()["run"]], ("SKYPILOT_NODE_RANK", "SKYPILOT_NUM_NODES")
    command = [word.replace("/shared", str(place)) for word in command]
    return command, [dict(zip(variables, (str(i), "3"), strict=True)) for i in range(3)]


def relative_tables(place, name):
    """Return the tables of an `--out-dir`; the commands in YAML files name the photographs by absolute paths."""
    return [
        [{key: value.removeprefix(f"{place}/") for key, value in row.items()} for row in table]
        for table in tables(place / name)
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model, five photographs, the program `semseg`, and the results of one run."""
    place = tmp_path_factory.mktemp("cluster")
    torch.save(lively_checkpoint(small_config()), place / "best.pth")
    (place / "photos").mkdir()
    for number in range(5):
        Image.fromarray(picture(48, 64, number)).save(place / f"photos/{number}.png")
    (place / "bin").mkdir()
    code = f"import sys; sys.path.insert(0, {str(REPO)!r}); from semseg.cli.main import run; run()"
    program = place / "bin/semseg"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n')
    program.chmod(0o755)
    run(place, "infer.py", "best.pth", "photos", "--out-dir", "whole", "--precision", "fp32")
    return place


@pytest.mark.slow
@pytest.mark.parametrize("name", ["slurm", "xargs", "kubernetes", "skypilot"])
def test_the_shards_of_a_file_give_the_results_of_one_run(place, name):
    command, environments = tasks(name, place)
    path = f"{place / 'bin'}:{os.environ['PATH']}"
    for variables in environments:
        environment = {**os.environ, **variables, "PATH": path}
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    (place / "outputs").rename(place / name)
    run(place, "infer.py", "--merge", name)
    assert len(list((place / name / "shards").glob("*-of-3"))) == 3
    assert relative_tables(place, name) == relative_tables(place, "whole")
    assert results(place / name) == results(place / "whole") != {}


def test_every_command_is_read_by_the_program():
    texts = [path.read_text() for path in FOLDER.iterdir()]
    texts += [*container()["args"], skypilot_task()["run"]]  # as they are after YAML's folding
    commands = [line for text in texts for line in re.findall(r"semseg infer ([^\n`]+)", text.replace("\\\n", " "))]
    commands = [words for words in commands if "--" in words and "`" not in words]
    assert len(commands) >= 8
    for words in commands:
        arguments = shlex.split(re.sub(r"\$\(\(.*?\)\)|\$\w+|\{\}", "1", words), comments=True)
        args = parse_args([word.strip('"') for word in arguments])
        assert args.merge is not None or args.skip_existing, words


def test_the_array_is_valid_bash_and_starts_at_one():
    assert subprocess.run(["bash", "-n", SLURM], capture_output=True, text=True).stderr == ""
    lines = SLURM.read_text().splitlines()
    first_command = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    assert "#SBATCH --array=1-8" in lines[:first_command]  # sbatch reads no option below the first command


def test_the_kubernetes_job_is_indexed_and_has_one_index_for_each_shard():
    job = kubernetes_job()
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert set(spec) <= {"completionMode", "completions", "parallelism", "backoffLimit", "template"}
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == int(container()["env"][0]["value"])
    assert container()["env"][0]["name"] == "SHARDS"
    assert pod["restartPolicy"] in ("Never", "OnFailure")  # a Job allows no other
    assert [mount["name"] for mount in container()["volumeMounts"]] == [volume["name"] for volume in pod["volumes"]]


def test_the_skypilot_task_has_only_known_fields():
    task = skypilot_task()
    assert set(task) <= SKYPILOT_FIELDS
    assert task["num_nodes"] > 1
    assert list(task["volumes"]) == ["/shared"]
    assert "-c constraints.txt" in task["setup"]
    assert (REPO / "constraints.txt").is_file()


def test_the_ray_job_is_valid_python():
    tree = ast.parse((FOLDER / "ray_job.py").read_text())
    assert [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names] == [
        "subprocess", "sys", "ray",
    ]  # fmt: skip


def test_the_readme_explains_every_placeholder():
    texts = "".join((FOLDER / name).read_text() for name in ("kubernetes_job.yaml", "skypilot.yaml", "slurm_array.sh"))
    placeholders = set(re.findall(r"(?<!name): ([A-Z]{4,})\b", texts)) | set(re.findall(r"\$\{([A-Z_]+):-", texts))
    assert placeholders == {"IMAGE", "CLAIM", "VOLUME", "CHECKPOINT", "PHOTOS", "OUT_DIR"}
    assert placeholders <= set(re.findall(r"`([A-Z_]+)`", README))
