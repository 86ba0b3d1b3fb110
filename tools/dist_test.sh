#!/usr/bin/env bash
# Evaluate on several GPUs (CPU processes where there is none): tools/dist_test.sh [CONFIG] CHECKPOINT GPUS [test.py's options]
# On several machines, on each: NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 PORT=29500 tools/dist_test.sh [CONFIG] CHECKPOINT GPUS
set -eu
num_words=3  # a checkpoint that describes itself needs no config
case ${1:-} in *.pth | *.safetensors) num_words=2 ;; esac
if [ $# -lt $num_words ]; then
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
fi
files=("${@:1:num_words-1}") gpus=${!num_words}
shift $num_words
exec "${PYTHON:-python}" -m semseg.launch "$gpus" "$(dirname "$0")/test.py" "${files[@]}" --launcher pytorch "$@"
