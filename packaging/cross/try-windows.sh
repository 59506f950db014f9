#!/bin/bash
# The Windows agent under wine against a collector of this computer on loopback: it enrols, reports
# twice, shows itself, and is asked how it is. Ends with an error when one of these fails.
# usage: try-windows.sh [AGENT.exe] [ROLLCALL]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); top=$(cd "$here/../.." && pwd)
agent=${1:-$top/target/x86_64-pc-windows-gnu/debug/rollcall-agent.exe}
rollcall=${2:-$top/target/debug/rollcall}
[ -e "$agent" ] || { echo "no $agent: packaging/cross/xcargo.sh win build -p rollcall-agent" >&2; exit 1; }
work=$(mktemp -d "${TMPDIR:-/tmp}/rollcall-wine.XXXXXX")
collector=
end() { [ -z "$collector" ] || kill "$collector" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"; }
trap end EXIT
: >"$work/said"
"$rollcall" up --no-self --listen 127.0.0.1:0 --data "$work/data" >"$work/said" 2>&1 </dev/null &
collector=$!
until grep -q Ctrl-C "$work/said"; do kill -0 "$collector" || { cat "$work/said"; exit 1; }; sleep 0.2; done
join=$("$rollcall" token create --label wine --uses 0 --data "$work/data" | grep -o 'rcl1:[^ ]*' | head -1)
export ROLLCALL_STATE="Z:$work/state"
run() { "$here/wine-run.sh" "$agent" "$@"; }
echo "== enrol";  printf '%s\n' "$join" | run enroll -
echo "== once";   run once
echo "== again";  run once
echo "== status"; run status
echo "== doctor"; run doctor || true
for section in os system firmware cpu memory storage volume network gpu battery user software service \
  security update port display pci usb audio camera input printer certificate virtual_machine \
  pool database remote_access management vitals; do
  echo "== show $section"; run show "$section" | head -12 || true
done
