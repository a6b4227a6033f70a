#!/usr/bin/env bash
#SBATCH --job-name=stormproof
#SBATCH --array=0-31
#SBATCH --cpus-per-task=2
#SBATCH --mem=2G
#SBATCH --time=01:00:00
#SBATCH --signal=B:TERM@60
#SBATCH --output=stormproof-%A_%a.log
#
# One sweep as an array job: each task runs its shard of the seeds. A minute before its time is up a task is sent SIGTERM,
# and writes what it has found.
#
#   job=$(SEEDS=0..1000000 RESULTS=/shared/results sbatch --parsable slurm-array.sh)
#   RESULTS=/shared/results sbatch --dependency=afterany:"$job" slurm-merge.sh
#
# `stormproof` has to be on the PATH of the nodes. The array must start at 0.
set -euo pipefail

results=${RESULTS:-results}
mkdir -p "$results"

exec stormproof sweep \
    --seeds "${SEEDS:-0..1000000}" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --jobs "${SLURM_CPUS_PER_TASK:-1}" \
    --out "$results/$SLURM_ARRAY_TASK_ID.jsonl" \
    --failures "$results/failures-$SLURM_ARRAY_TASK_ID"
