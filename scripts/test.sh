#!/usr/bin/env bash
# test.sh PACKAGES FLAGS...: runs `go test FLAGS... PACKAGES` in the current folder. What
# fails is run once more ($RERUNS), when it is little ($RERUNS_OF), and both runs are shown.
# A report of the race detector fails the tests whatever a second run says: also that of
# a process which a test started, whether the test noticed it or not.
set -euo pipefail
packages=$1
shift
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# For tests CGO may be on; the tool is built once, as everything else is.
(cd "$scripts/../internal/tools" && CGO_ENABLED=0 go build -o "$tmp/gotestsum" gotest.tools/gotestsum)
# Every process would wait a second before its end for races that come last.
export GORACE="log_path=$tmp/race atexit_sleep_ms=100 ${GORACE:-}"

code=0
touch "$tmp/again"
"$tmp/gotestsum" --format standard-quiet --hide-summary=skipped --format-hide-empty-pkg \
  --rerun-fails="${RERUNS:-1}" --rerun-fails-max-failures="${RERUNS_OF:-5}" --rerun-fails-run-root-test \
  --rerun-fails-report="$tmp/again" ${JSONFILE:+--jsonfile="$JSONFILE"} --packages="$packages" -- "$@" || code=$?
if [ -s "$tmp/again" ]; then
  echo 'run again:'
  cat "$tmp/again"
fi
if compgen -G "$tmp/race.*" >/dev/null; then
  cat "$tmp"/race.*
  echo 'the race detector found the above' >&2
  exit 1
fi
exit "$code"
