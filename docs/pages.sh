#!/usr/bin/env bash
# Makes docs/pages/*.png, which docs/pages.md shows: the top of the report of a model of each task, trained by the task's own
# recipe (an hour or two on two cores; models that are in target/pages already are taken from there). Needs Chromium
# (Debian: apt-get install chromium).
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cargo build --release --quiet -p algolens-cli
chromium=$(command -v chromium || command -v google-chrome)
mkdir -p "$target/pages" docs/pages
for task in palindrome first_unique sum cumulative_sum caesar trigrams balanced_brackets max_of_list count_unique \
  set_difference set_completion longest_cycle modular_arithmetic group induction associative_recall histogram dyck; do
  made="$target/pages/$task"
  [ -e "$made.safetensors" ] || "$target/release/algolens" train --task "$task" --seed 0 --out "$made.safetensors" --quiet
  "$target/release/algolens" study "$made.safetensors" --out "$made" --quiet
  "$chromium" --headless=new --no-sandbox --disable-gpu --hide-scrollbars --window-size=1280,1800 \
    --force-device-scale-factor=0.5 --virtual-time-budget=8000 --screenshot="$PWD/docs/pages/$task.png" \
    "file://$made/report.html" 2>/dev/null
done
