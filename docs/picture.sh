#!/usr/bin/env bash
# Makes docs/study.png, the picture of the README: circuits in the study of models/sorted_list.safetensors.
# Run it again whenever that model or the page changes. Needs Chromium (Debian: apt-get install chromium).
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cargo run --release --quiet -- study models/sorted_list.safetensors --quiet --out "$out" >/dev/null
# Only the OV circuits and the effective QK map.
sed -i 's|</style>|section:not(#circuits), h1, h1 + p, h2, figure:nth-child(n+3):not(:nth-child(5)):not(:nth-child(6)) { display: none }</style>|' \
  "$out/summary.html"
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --disable-background-networking \
  --user-data-dir="$out/profile" --window-size=980,1065 --screenshot="$out/study.png" \
  "file://$out/summary.html" 2>/dev/null
mv "$out/study.png" docs/study.png
