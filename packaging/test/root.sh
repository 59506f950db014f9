# Sourced by the tests of packages: a fresh Debian root, booted with systemd, and what to ask of it.
#
# ROLLCALL_TEST_ARCHITECTURE=arm64 makes and boots one for arm64, where the kernel runs its programs
# through qemu-user (Debian's qemu-user-static, binfmt-support and arch-test); the packages are then of
# BINARIES for it.

if [ -z "${work:-}" ]; then
  work=$(mktemp -d "${TMPDIR:-/tmp}/rollcall-packages.XXXXXX")
fi
nspawn= leader=

not_run() { echo "NOT RUN  packages: $*"; exit 0; }
ok() { printf 'ok      %s\n' "$*"; }
figure() { printf 'figure  %s\n' "$*"; }
fail() {
  printf 'FAILED  %s\n' "$*" >&2
  if [ -n "$leader" ]; then
    inside 'systemctl --no-pager --failed; journalctl --no-pager -n 40 -u "rollcall-*"' >&2 || true
  fi
  exit 1
}
# check SENTENCE COMMAND…: the command succeeds.
check() { local what=$1; shift; if "$@"; then ok "$what"; else fail "$what"; fi; }

architecture=${ROLLCALL_TEST_ARCHITECTURE:-amd64}
case $architecture in
amd64) triple=x86_64-unknown-linux-gnu machine=x86_64 strip=() ;;
arm64) triple=aarch64-unknown-linux-gnu machine=aarch64 strip=(aarch64-linux-gnu-strip) ;;
*) fail "there are packages for amd64 and arm64, not for $architecture" ;;
esac

# A fresh Debian in the folder, from the archive (ROLLCALL_TEST_SUITE names another than bookworm) or
# from the copy that ROLLCALL_TEST_ROOT names.
make_root() {
  if [ -n "${ROLLCALL_TEST_ROOT:-}" ]; then
    cp -a --reflink=auto "$ROLLCALL_TEST_ROOT" "$1"
  else
    mmdebstrap --quiet --variant=minbase --architectures="$architecture" --include="${includes:-systemd,systemd-sysv,adduser}" "${ROLLCALL_TEST_SUITE:-bookworm}" "$1" 2>/dev/null ||
      not_run "no Debian could be had from the archive"
  fi
  systemd-nspawn --quiet --register=no --keep-unit -D "$1" true >/dev/null 2>&1 </dev/null ||
    not_run "this computer does not let a system be started inside of it"
  echo rollcall-test >"$1/etc/hostname"
  printf '127.0.0.1 localhost rollcall-test\n' >"$1/etc/hosts"
  [ "$architecture" = "$(dpkg --print-architecture)" ] && return
  # qemu-user knows no spaces of accounts; everything else of the units is tried as it is.
  mkdir -p "$1/etc/systemd/system/rollcall-collector.service.d"
  printf '[Service]\nPrivateUsers=no\n' >"$1/etc/systemd/system/rollcall-collector.service.d/emulated.conf"
}

# Boots the root: systemd is its first process, loopback its only network.
boot() {
  systemd-nspawn --quiet -D "$1" --boot --register=no --keep-unit --console=pipe --private-network \
    --hostname=rollcall-test systemd.unit=multi-user.target </dev/null >"$work/console" 2>&1 &
  nspawn=$!
  local waited
  for waited in $(seq 120); do
    kill -0 "$nspawn" 2>/dev/null ||
      not_run "this computer does not boot a system inside of it: $(tail -3 "$work/console" | tr '\n' ' ')"
    leader=$(pgrep -P "$nspawn" | head -1 || true)
    # degraded: units of the root that want a real computer.
    [ -n "$leader" ] && inside 'systemctl is-system-running || true' 2>/dev/null | grep -qE "${booted:-running|degraded}" && return
    sleep 0.5
  done
  fail "the root did not come up"
}

# Runs a command in the booted root, as a login would: without the environment outside.
inside() {
  nsenter -t "$leader" -a env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive /bin/sh -ec "cd /; $*"
}

halt() {
  [ -n "$nspawn" ] || return 0
  # The signal that asks systemd to end does not reach it through qemu-user.
  if [ "$architecture" = "$(dpkg --print-architecture)" ]; then
    kill "$nspawn" 2>/dev/null || true
  else
    inside 'systemctl poweroff' >/dev/null 2>&1 || true
    local waited
    for waited in $(seq 600); do kill -0 "$nspawn" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$leader" "$nspawn" 2>/dev/null || true
  fi
  wait "$nspawn" 2>/dev/null || true
  nspawn= leader=
}

end() { halt; rm -rf --one-file-system "$work"; }
trap end EXIT

# Waits until a command succeeds inside; gives up after so many seconds.
await() {
  local seconds=$1 tried; shift
  for tried in $(seq $((seconds * 10))); do
    inside "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  return 1
}

# Every file of the root and the accounts, but what any day of a system changes.
files_of() {
  (cd "$1" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp \
    -o -path ./var/log -o -path ./var/cache -o -path ./var/tmp -o -path ./var/lib/systemd/timers \
    -o -path ./root -o -path ./packages \) -prune -o -print |
    grep -vE '^\./etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|^\./etc/\.pwd\.lock$|^\./var/lib/dpkg/(status|diversions|statoverride)-old$|^\./var/lib/dpkg/lock|random-seed$|^\./etc/machine-id$|^\./var/lib/dpkg/triggers' |
    sort; cut -d: -f1 etc/passwd | sort | sed 's/^/account /'; cut -d: -f1 etc/group | sort | sed 's/^/group /')
}
