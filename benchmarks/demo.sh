#!/usr/bin/env bash
# The whole job on the example mammograms, in a few minutes: the README's walk with a small network.
#   bash benchmarks/demo.sh OUTPUT_FOLDER
# DENSIGHT_DATA names the folder of the example mammograms (mini-MIAS and the tutorial's own).
set -euo pipefail
out=${1:?give the output folder}
data=${DENSIGHT_DATA:-../shared/data}
here=$(dirname "$0")
if [ ! -d "$data/mias" ]; then
  echo "demo: there are no example mammograms in $data; set DENSIGHT_DATA to their folder" >&2
  exit 2
fi
mkdir -p "$out"

step() { printf '\n$ densight %s\n' "$*"; densight "$@"; }

echo "1. Mini-MIAS: 240 film mammograms, fatty (F), glandular (G), dense (D). Patients are split."
step index "$data/mias" -o "$out/catalogue.csv"
echo "2. A small network learns from the training patients."
step train "$out/catalogue.csv" --recipe "$here/recipes/demo.yaml" --projection all -o "$out/models"
echo "3. It assesses the test patients, whom it has never seen, and explains itself."
step explain "$out/catalogue.csv" --split test --model "$out/models" -o "$out/run"
step figures "$out/run"
echo "4. The tutorial's own predictions of its 128 test exams: its figures of merit, with intervals."
{
  echo density
  for class in 14A 51B 50C 13D; do
    yes "${class: -1}" | head -n "${class%?}" || true
  done
} > "$out/labels.csv"
step figures --predictions "$data/infn/Predictions/predictions_ccr.txt" \
  --predictions "$data/infn/Predictions/predictions_ccl.txt" \
  --predictions "$data/infn/Predictions/predictions_mlor.txt" \
  --predictions "$data/infn/Predictions/predictions_mlol.txt" --labels "$out/labels.csv" -o "$out/tutorial"
printf '\nThe report: %s\n' "$out/run/report.html"
