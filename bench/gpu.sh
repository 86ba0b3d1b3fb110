#!/usr/bin/env bash
# Everything that only a GPU shows, in one call of at most 10 minutes, without network: images per second of training
# (MMSegmentation's fp32 and AMP, and ours with one setting after the other), loader, validation, infer, and the tests
# marked gpu:  bench/gpu.sh [FILE.json [SETTING ...]]
# BENCH_CONFIG: config file, default PSPNet-R101; BENCH_BATCH: images of a step, default the config's;
# BENCH_DEVICE=cpu: try this program without a GPU; BENCH_LIMIT_S: seconds after which nothing is begun, default 540.
set -uo pipefail
if [ $# -gt 0 ]; then
    report=$(realpath -m "$1")
    shift
    set -- "$report" "$@"
fi
cd "$(dirname "$0")/.."
export BENCH_CONFIG=${BENCH_CONFIG:-configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py}
export BENCH_SIZE=${BENCH_SIZE:-2048x1024}
python=${PYTHON:-.venv/bin/python}
limit=$((${BENCH_LIMIT_S:-540} + 50))
timeout "$limit" "$python" -m bench.gpu "$@"
measured=$?
mapfile -t files < <(grep -rl --include='test_*.py' 'mark\.gpu' tests)
left=$((limit - SECONDS))
timeout "$((left > 10 ? left : 10))" "$python" -m pytest -q -m gpu "${files[@]}"
tested=$?
exit "$((measured ? measured : tested))"
