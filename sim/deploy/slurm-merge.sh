#!/usr/bin/env bash
#SBATCH --job-name=stormproof-merge
#SBATCH --mem=1G
#SBATCH --time=00:10:00
#SBATCH --output=stormproof-merge-%j.log
#
# Merges what the array job has found: see slurm-array.sh. Exits with 3 if a shard is missing or cut off, and names it.
set -euo pipefail

results=${RESULTS:-results}
exec stormproof report "$results"/*.jsonl --out "$results/campaign.html"
