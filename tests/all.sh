#!/bin/sh
# The tests of `make test`: pytest's, and beside them the SDK's, which are shown when the others are through.
told=$(mktemp)
trap 'rm -f "$told"' EXIT

npm test --silent --prefix client/sdk >"$told" 2>&1 &
sdk=$!
.venv/bin/pytest -n "${WORKERS:-3}" --dist worksteal --ignore tests/browser
status=$?

wait $sdk || status=1
cat "$told"
exit $status
