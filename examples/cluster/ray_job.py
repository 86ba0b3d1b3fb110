"""Run each shard as a Ray task: `ray job submit --working-dir examples/cluster -- python ray_job.py 8 ARGUMENTS`.

ARGUMENTS are those of `semseg infer` without `--shard`. Their paths are on a file system that all nodes share.
"""

import subprocess
import sys

import ray

count, *arguments = sys.argv[1:]


@ray.remote(num_cpus=4, max_retries=2)
def segment(shard: int) -> int:
    return subprocess.run(["semseg", "infer", *arguments, "--shard", f"{shard}/{count}"], check=False).returncode


ray.init()
sys.exit(max(ray.get([segment.remote(shard) for shard in range(1, int(count) + 1)])))
