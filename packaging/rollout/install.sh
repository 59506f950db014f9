#!/bin/sh
# Installs the Rollcall agent from its tarball on a Linux with systemd, or removes it again:
#   sudo sh install.sh rollcall-agent-VERSION-linux-ARCHITECTURE.tar.gz
#   sudo sh install.sh --remove      (--purge: with configuration, key and identity)
# SHA256SUMS of the release must lie beside the tarball. Nothing is downloaded. Written are
# /usr/local/bin/rollcall-agent, /usr/local/lib/rollcall-agent, three units in /etc/systemd/system,
# and /etc/rollcall/agent.toml where there is none.
set -eu
units="rollcall-agent.service rollcall-agent-enroll.service rollcall-agent-enroll.path"
stop() { echo "install.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || stop "only root may do this; try sudo"
[ -d /run/systemd/system ] || stop "this system was not started by systemd"
[ $# = 1 ] || stop "name the tarball, or --remove"
[ ! -e /usr/bin/rollcall-agent ] || stop "the agent is here as a package; use the package manager"

if [ "$1" = --remove ] || [ "$1" = --purge ]; then
    systemctl disable --now $units 2>/dev/null || true
    for unit in $units; do rm -f "/etc/systemd/system/$unit"; done
    rm -rf /usr/local/lib/rollcall-agent /run/rollcall-agent
    rm -f /usr/local/bin/rollcall-agent
    systemctl daemon-reload
    if [ "$1" = --purge ]; then
        rm -rf /var/lib/rollcall-agent
        rm -f /etc/rollcall/agent.toml /etc/rollcall/join
        rmdir /etc/rollcall 2>/dev/null || true
    else
        echo "Removed. /var/lib/rollcall-agent and /etc/rollcall stay; --purge takes them too."
    fi
    exit 0
fi

tarball=$(basename "$1")
cd "$(dirname "$1")"
[ -e "$tarball" ] && [ -e SHA256SUMS ] || stop "$tarball and SHA256SUMS must lie in one folder"
line=$(grep " [ *]$tarball\$" SHA256SUMS) || stop "SHA256SUMS does not name $tarball"
echo "$line" | sha256sum --check --quiet || stop "$tarball is not what SHA256SUMS says; fetch it again"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xzf "$tarball" -C "$work" --no-same-owner
cd "$work"/rollcall-agent-*
install -d /usr/local/bin /usr/local/lib/rollcall-agent /etc/rollcall
install -m 755 rollcall-agent /usr/local/bin/rollcall-agent
for file in enroll-from-file $units; do
    sed 's|/usr/bin/rollcall-agent|/usr/local/bin/rollcall-agent|; s|/usr/lib/rollcall-agent|/usr/local/lib/rollcall-agent|' \
        "$file" >"$work/file"
    case $file in
    enroll-from-file) install -m 755 "$work/file" /usr/local/lib/rollcall-agent/enroll-from-file ;;
    *) install -m 644 "$work/file" "/etc/systemd/system/$file" ;;
    esac
done
[ -e /etc/rollcall/agent.toml ] || install -m 644 agent.toml /etc/rollcall/agent.toml
systemctl daemon-reload
systemctl enable --quiet $units
systemctl restart $units
[ -e /var/lib/rollcall-agent/identity.json ] ||
    echo "Installed. Enrol it: sudo rollcall-agent enroll - && sudo systemctl start rollcall-agent"
