#!/usr/bin/env bash
# Makes docs/study.png, the picture of the README: the circuits in the study of models/sorted_list.safetensors.
# Needs Chromium (Debian: apt-get install chromium) and ImageMagick (apt-get install imagemagick).
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cargo run --release --quiet -- study models/sorted_list.safetensors --quiet --out "$out" >/dev/null
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$out/profile" \
  --window-size=980,2400 --screenshot="$out/page.png" "file://$out/summary.html#circuits" 2>/dev/null
convert "$out/page.png" -crop 980x1010+0+0 +repage -colors 128 -define png:compression-level=9 docs/study.png
