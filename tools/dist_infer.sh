#!/usr/bin/env bash
# Segment on several GPUs (CPU processes where there is none): tools/dist_infer.sh [CONFIG] CHECKPOINT INPUT GPUS [infer.py's options]
# On several machines that share the folders, on each: NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 PORT=29500 tools/dist_infer.sh …
set -eu
num_words=3  # a checkpoint that describes itself needs no config
case ${1:-} in *.py | *.json | *.yaml | *.yml) num_words=4 ;; esac
if [ $# -lt $num_words ]; then
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
fi
files=("${@:1:num_words-1}") gpus=${!num_words}
shift $num_words
# each process works for itself: one that falls ends no other
SEMSEG_INDEPENDENT=1 exec "${PYTHON:-python}" -m semseg.launch "$gpus" "$(dirname "$0")/infer.py" "${files[@]}" --launcher pytorch "$@"
