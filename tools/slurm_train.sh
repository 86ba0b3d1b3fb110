#!/usr/bin/env bash
# Train on a Slurm cluster: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [train.py's options]
# GPUS=8 GPUS_PER_NODE=4 CPUS_PER_TASK=5 SRUN_ARGS="--time=8:00:00" in the environment; without GPUs: SRUN_ARGS="--gres=none"
# Two minutes before the time limit the run saves and stops with exit code 138 (inside an allocation, if that was made
# with --signal=USR1@120); the same command with --resume goes on.
set -eu
if [ $# -lt 3 ]; then
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
fi
partition=$1 job_name=$2 config=$3
shift 3
gpus=${GPUS:-4}
gpus_per_node=${GPUS_PER_NODE:-$((gpus < 4 ? gpus : 4))}
read -ra srun_args <<< "${SRUN_ARGS:-}"
exec srun --partition="$partition" --job-name="$job_name" \
    --gres=gpu:"$gpus_per_node" --ntasks="$gpus" --ntasks-per-node="$gpus_per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 --signal=USR1@120 \
    ${srun_args[@]+"${srun_args[@]}"} \
    "${PYTHON:-python}" -u "$(dirname "$0")/train.py" "$config" --launcher slurm "$@"
