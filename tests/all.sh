#!/bin/sh
# Every test, by `make test`. A browser plays and hears sound in real time: its tests run one after another, and
# all others give way to them (`nice`). What ran beside is shown when the others are through.
beside=$(mktemp -d)
trap 'rm -rf "$beside"' EXIT

nice -n 10 npm test --silent --prefix client/sdk >"$beside/sdk" 2>&1 &
sdk=$!
.venv/bin/pytest -q tests/browser >"$beside/browser" 2>&1 &
browser=$!
nice -n 10 .venv/bin/pytest -n "${WORKERS:-3}" --dist worksteal --ignore tests/browser
status=$?

wait $sdk || status=1
cat "$beside/sdk"
echo "waiting for the tests in browsers"
wait $browser || status=1
cat "$beside/browser"
exit $status
