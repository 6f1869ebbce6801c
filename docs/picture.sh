#!/usr/bin/env bash
# Makes docs/report.png, the picture of the README: the report of models/sorted_list.safetensors, at its circuits; and the
# digests of what it shows, which .ci/run checks. Run it again whenever that model or the page changes. Needs Chromium
# (Debian: apt-get install chromium).
set -euo pipefail
cd "$(dirname "$0")/.."
CI=true cargo test --release --quiet --workspace --test browser looked_at
cp "${CARGO_TARGET_DIR:-target}/tmp/report/readme.png" docs/report.png
sha256sum docs/report.png models/sorted_list.safetensors crates/algolens-report/assets/style.css \
  crates/algolens-report/assets/viewer/*.js crates/algolens-report/src/*.rs > docs/report.sha256
