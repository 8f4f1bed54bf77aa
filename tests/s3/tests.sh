#!/usr/bin/env bash
# The tests that need a real S3 server, on one of their own. Exit code 77: skipped, with the reason.
#
#   CUSTODY_WORLD_S3_SHARE=1   every operation of a run fails in every way, not one in 71
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap '"$here/server.sh" stop "$work/s3" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

status=0
endpoint=$(CUSTODY_S3_PARENT_PID=$$ "$here/server.sh" start "$work/s3") || status=$?
[ "$status" -eq 0 ] || exit "$status"
"$here/server.sh" bucket "$work/s3" custody >/dev/null
read -r key secret <<<"$("$here/server.sh" credentials)"
"$here/conformance.py" "$endpoint" "$key" "$secret" custody "$work/s3"

export AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret
export CUSTODY_TEST_S3=$endpoint CUSTODY_TEST_S3_BUCKET=custody
cargo test --release --locked --manifest-path "$root/Cargo.toml" -p custody-tests --test all \
    s3 -- --nocapture --test-threads 1
