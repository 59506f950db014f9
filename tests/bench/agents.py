#!/usr/bin/env python3
"""Runs our agent and others on this Debian computer and prints what each costs.

    cargo build --release --workspace --bins
    tests/bench/agents.py [--install] [--runs 5] [--agent target/release/rollcall-agent]

`--install` installs fusioninventory-agent and ocsinventory-agent from Debian (as root). Each agent
makes one whole inventory and sends it nowhere. Processor time and memory are what the system says
of the process and those it started (wait4); child processes are counted by strace in one more run.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def commands(agent, folder):
    yield "rollcall-agent", [agent, "show", "--json"]
    yield "fusioninventory-agent", ["fusioninventory-agent", "--local", folder, "--no-task",
                                    "collect,deploy,esx,netdiscovery,netinventory,wakeonlan"]
    yield "ocsinventory-agent", ["ocsinventory-agent", "--local", folder, "--force"]


def once(command, out):
    start = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0),
    ])
    _, status, used = os.wait4(pid, 0)
    wall = time.monotonic() - start
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss, wall


def children(command):
    if not shutil.which("strace"):
        return "no strace"
    with tempfile.NamedTemporaryFile() as log:
        subprocess.run(["strace", "-f", "-qq", "-e", "trace=execve", "-o", log.name, *command],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        text = open(log.name, errors="replace").read()
    started = re.findall(r"execve\(.*= 0$", text, re.M)
    return str(max(len(started) - 1, 0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--agent", default="target/release/rollcall-agent")
    arguments = parser.parse_args()
    if arguments.install:
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends",
                        "fusioninventory-agent", "ocsinventory-agent"],
                       env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                       stdout=subprocess.DEVNULL, check=True)
    packages = subprocess.run(["dpkg-query", "-W", "-f", "."], capture_output=True, text=True)
    print(f"{len(packages.stdout)} packages, {os.cpu_count()} processors, root: {os.geteuid() == 0}")
    head = f"{'agent':<24}{'CPU s':>8}{'peak MiB':>10}{'wall s':>8}{'children':>10}"
    print(head)
    missing = []
    with tempfile.TemporaryDirectory() as folder:
        for name, command in commands(os.path.abspath(arguments.agent), folder):
            if not shutil.which(command[0]):
                missing.append(name)
                continue
            out = os.path.join(folder, "out")
            once(command, out)  # what is on disk is in memory afterwards, for each alike
            runs = [once(command, out) for _ in range(arguments.runs)]
            bad = [code for code, *_ in runs if code != 0]
            cpu, rss, wall = (statistics.median(run[field] for run in runs) for field in (1, 2, 3))
            note = f"  (exit {bad[0]})" if bad else ""
            print(f"{name:<24}{cpu:>8.3f}{rss / 1024:>10.1f}{wall:>8.2f}{children(command):>10}{note}")
    for name in missing:
        print(f"NOT RUN  {name}: it is not installed (--install installs it)")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
