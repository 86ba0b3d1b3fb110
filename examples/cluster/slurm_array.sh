#!/usr/bin/env bash
#SBATCH --job-name=semseg
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
#SBATCH --output=%x-%A_%a.log
# one task for each shard; Slurm copies this file, so the paths are those of the folder in which sbatch was called
set -euo pipefail
semseg infer "${CHECKPOINT:-best.pth}" "${PHOTOS:-photos}" --out-dir "${OUT_DIR:-outputs}" --skip-existing \
  --precision fp32 --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
