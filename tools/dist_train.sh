#!/usr/bin/env bash
# Train on several GPUs (CPU processes where there is none): tools/dist_train.sh CONFIG GPUS [train.py's options]
# On several machines, on each: NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 PORT=29500 tools/dist_train.sh CONFIG GPUS
# --max-restarts N starts the processes again when one falls, or when a lost machine is back; they go on from the last
# checkpoint. Several machines need a work dir that all of them see.
set -eu
if [ $# -lt 2 ]; then
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
fi
config=$1 gpus=$2
shift 2
exec "${PYTHON:-python}" -m semseg.launch "$gpus" "$(dirname "$0")/train.py" "$config" --launcher pytorch "$@"
