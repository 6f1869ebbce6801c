#!/usr/bin/env bash
# Makes docs/pages/*.png, which docs/pages.md shows: the top of the report of a model of each task. Of the tasks whose authors'
# models it finds in the folder that ALGOLENS_REFERENCE names it shows those; the others' models it trains by their own recipes
# (an hour on two cores, less what is in target/pages already). Needs Chromium (Debian: apt-get install chromium).
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cargo build --release --quiet -p algolens-cli
chromium=$(command -v chromium || command -v google-chrome)
mkdir -p "$target/pages" docs/pages

# The page of a task's model.
page() {
  "$target/release/algolens" study "$2" --out "$target/pages/$1" --quiet
  "$chromium" --headless=new --no-sandbox --disable-gpu --hide-scrollbars --window-size=1280,1800 \
    --force-device-scale-factor=0.5 --virtual-time-budget=8000 --screenshot="$PWD/docs/pages/$1.png" \
    "file://$target/pages/$1/report.html" 2>/dev/null
}

# The page of an authors' model, or else of one of our own.
authors() {
  if [ -e "${ALGOLENS_REFERENCE:-}/$2" ]; then page "$1" "$ALGOLENS_REFERENCE/$2"; else ours "$1"; fi
}

ours() {
  made="$target/pages/$1.safetensors"
  [ -e "$made" ] || "$target/release/algolens" train --task "$1" --seed 0 --out "$made" --quiet
  page "$1" "$made"
}

authors palindrome palindromes/palindrome_classifier.pt
authors first_unique first_unique/first_unique_char_model.pt
authors cumulative_sum cumsum/cumsum_model.pt
authors balanced_brackets brackets/brackets_model_state_dict.pt
authors max_of_list max_of_list/model.pt
authors longest_cycle longest_cycle/transformer_longest_cycle_h4_n4.safetensors
for task in sum caesar trigrams count_unique set_difference set_completion modular_arithmetic group induction \
  associative_recall histogram dyck; do
  ours "$task"
done
