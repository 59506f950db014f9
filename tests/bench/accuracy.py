#!/usr/bin/env python3
"""Compares what the agent says of this Debian computer, field by field, with the system's own tools.

    cargo build --release --workspace --bins
    tests/bench/accuracy.py [--agent target/release/rollcall-agent]

Run as root. The tools: dpkg-query, lscpu, lsblk, findmnt, ip, ss, lspci, systemctl, getent, chage,
uname, free. Prints how many values of each field were compared and how many are the same, and every
value that differs. Ends with 1 if any differs.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys


def run(*command):
    if not shutil.which(command[0]):
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def as_json(*command):
    text = run(*command)
    return json.loads(text) if text.strip() else None


class Comparison:
    """Counts, by field, what was compared and what was the same."""

    def __init__(self):
        self.counts = {}
        self.differences = []

    def value(self, field, row, ours, theirs):
        compared, same = self.counts.get(field, (0, 0))
        self.counts[field] = (compared + 1, same + (ours == theirs))
        if ours != theirs:
            self.differences.append(f"{field} of {row}: {ours!r} here, {theirs!r} there")

    def rows(self, section, ours, theirs):
        """Two tables by key, each row a dictionary with the same fields."""
        for key in sorted(set(ours) | set(theirs), key=str):
            self.value(f"{section}: rows", key, key in ours, key in theirs)
            if key in ours and key in theirs:
                for field, value in theirs[key].items():
                    self.value(f"{section}.{field}", key, ours[key].get(field), value)


def software(compare, rows):
    form = ("${db:Status-Abbrev}\t${binary:Package}\t${Version}\t${Architecture}\t${Installed-Size}"
            "\t${source:Package}\t${source:Version}\t${Maintainer}\n")
    theirs = {}
    for line in run("dpkg-query", "-W", "-f", form).splitlines():
        state, name, version, architecture, size, source, source_version, maker = line.split("\t")
        if state.strip().endswith("i") or state[1:2] == "i":
            name = name.split(":")[0]
            theirs[name, architecture] = {
                "version": version, "size_bytes": int(size or 0) * 1024 or None,
                "source_package": source,
                "source_version": source_version if source_version != version else None,
                # Addresses of people are left out.
                "publisher": re.sub(r"\s*<.*>$", "", maker).strip('"'),
            }
    ours = {(row["name"], row.get("architecture")): row for row in rows if row["source"] == "dpkg"}
    compare.rows("software", ours, theirs)


def storage(compare, rows):
    listed = as_json("lsblk", "-J", "-b", "-d", "-o",
                     "NAME,TYPE,SIZE,MODEL,SERIAL,WWN,REV,RM,TRAN") or {"blockdevices": []}
    theirs = {}
    for disk in listed["blockdevices"]:
        # Memory that stands for a disk is no disk of the computer.
        if disk["type"] in ("disk", "rom") and not disk["name"].startswith(("zram", "ram")):
            told = {
                "size_bytes": disk["size"] if disk["type"] == "disk" else 0,
                "model": disk["model"], "serial": disk["serial"], "wwn": disk["wwn"],
                "firmware": disk["rev"], "removable": disk["rm"] and disk["rm"] != "0",
                "bus": disk["tran"],
            }
            # Without udev lsblk knows less than the kernel says.
            theirs[disk["name"]] = {key: value for key, value in told.items() if value is not None}
    compare.rows("storage", {row["name"]: row for row in rows}, theirs)


def volume(compare, rows):
    listed = as_json("findmnt", "-J", "-b", "--real", "-o",
                     "TARGET,SOURCE,FSTYPE,SIZE,OPTIONS,UUID,LABEL", "-l")
    theirs = {}
    for mount in (listed or {"filesystems": []})["filesystems"]:
        if mount["source"].startswith("/dev/"):
            theirs[mount["target"]] = {
                "device": re.sub(r"\[.*\]$", "", mount["source"]),
                "file_system": mount["fstype"], "size_bytes": int(mount["size"]),
                "read_only": "ro" in mount["options"].split(","),
                "label": mount["label"],
            }
    compare.rows("volume", {row["point"]: row for row in rows}, theirs)


def network(compare, body):
    theirs = {}
    for link in as_json("ip", "-j", "-d", "addr") or []:
        addresses = sorted(
            f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"]
            if not one.get("temporary") and not one.get("deprecated"))
        is_loopback = link["link_type"] == "loopback"
        theirs[link["ifname"]] = {
            "mac": None if is_loopback else link.get("address"), "mtu": link["mtu"],
            "addresses": addresses or None,
        }
    ours = {row["name"]: row for row in body["interfaces"]}
    compare.rows("network", ours, theirs)
    gateways = [route.get("gateway") for family in ("-4", "-6")
                for route in as_json("ip", family, "-j", "route", "show", "default") or []]
    compare.value("network.default_routes", "all", sorted(
        route.get("gateway") or "" for route in body.get("default_routes", [])),
        sorted(gateway or "" for gateway in gateways))
    servers = re.findall(r"^nameserver\s+(\S+)", open("/etc/resolv.conf").read(), re.M)
    compare.value("network.resolvers", "all", body.get("resolvers", []), servers)


def cpu(compare, rows):
    told = {one["field"].rstrip(":"): one["data"] for one in as_json("lscpu", "-J")["lscpu"]}
    number = lambda name: int(told[name])
    compare.value("cpu: rows", "sockets", len(rows), number("Socket(s)"))
    for row in rows:
        cores = number("Core(s) per socket")
        theirs = {"model": told["Model name"], "vendor": told["Vendor ID"], "cores": cores,
                  "threads": cores * number("Thread(s) per core")}
        for field, value in theirs.items():
            compare.value(f"cpu.{field}", row["socket"], row.get(field), value)
        flags = set(told["Flags"].split())
        compare.value("cpu.flags", row["socket"],
                      [flag for flag in row.get("flags", []) if flag not in flags], [])


def memory(compare, body):
    lines = {line.split()[0]: line.split() for line in run("free", "-b").splitlines() if line}
    compare.value("memory.total_bytes", "all", body["total_bytes"], int(lines["Mem:"][1]))
    compare.value("memory.swap_bytes", "all", body["swap_bytes"], int(lines["Swap:"][1]))


def system(compare, body, os_body):
    compare.value("system.hostname", "all", body["hostname"], run("uname", "-n").strip())
    compare.value("os.kernel", "all", os_body["kernel"], run("uname", "-r").strip())
    compare.value("os.architecture", "all", os_body["architecture"], run("uname", "-m").strip())
    for line in run("sh", "-c", ". /etc/os-release; set").splitlines():
        name, _, value = line.partition("=")
        if name in os_body["release"]:
            compare.value(f"os.release.{name}", "all", os_body["release"][name], value.strip("'"))


def port(compare, rows):
    theirs = {}
    for line in run("ss", "-H", "-l", "-n", "-t", "-u", "-p").splitlines():
        columns = line.split()
        address, _, number = columns[4].rpartition(":")
        address = address.strip("[]").split("%")[0].replace("*", "::")
        name = re.search(r'users:\(\("([^"]+)"', line)
        theirs[columns[0], address, int(number)] = {"process": name.group(1)[:15] if name else None}
    ours = {(row["protocol"], row["address"], row["port"]):
            {"process": (row.get("process") or "")[:15] or None} for row in rows}
    compare.rows("port", ours, theirs)


def user(compare, body):
    theirs = {}
    for line in run("getent", "passwd").splitlines():
        name, _, number, _, full_name, _, shell = line.split(":")
        theirs[name] = {"id": number, "shell": shell,
                        "full_name": full_name.split(",")[0] or None}
    compare.rows("user", {row["name"]: row for row in body["accounts"]}, theirs)
    groups = {line.split(":")[0]: {"id": line.split(":")[2]}
              for line in run("getent", "group").splitlines()}
    ours = {row["name"]: row for row in body["groups"]}
    # The agent tells of groups that have members or rights.
    compare.rows("user.groups", ours, {name: row for name, row in groups.items() if name in ours})


def pci(compare, rows):
    theirs = {}
    for block in run("lspci", "-D", "-vmm", "-nn", "-k").split("\n\n"):
        told = dict(line.split(":\t", 1) for line in block.splitlines() if ":\t" in line)
        if "Slot" not in told:
            continue
        named = lambda field: re.sub(r"\s*\[[0-9a-f]{4}\]$", "", told.get(field, "")).strip()
        code = lambda field: re.search(r"\[([0-9a-f]{4})\]$", told[field]).group(1)
        known = lambda text: None if not text or text.startswith(("Device", "Unknown")) else text
        theirs[told["Slot"]] = {
            "id": f"{code('Vendor')}:{code('Device')}", "vendor": known(named("Vendor")),
            "name": known(named("Device")), "driver": told.get("Driver"),
        }
    compare.rows("pci", {row["address"]: row for row in rows}, theirs)


def service(compare, rows):
    """Where systemd is installed and does not run, its files are still the truth."""
    theirs = set()
    for line in run("systemctl", "list-unit-files", "--root=/", "--type=service", "--no-legend",
                    "--no-pager").splitlines():
        name, state = line.split()[:2]
        if not name.endswith("@.service") and state != "alias":
            theirs.add(name)
    ours = {row["name"] for row in rows if row.get("manager") == "systemd"}
    without_instances = {name for name in ours if "@" not in name}
    compare.rows("service", dict.fromkeys(without_instances, {}), dict.fromkeys(theirs, {}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agent", default="target/release/rollcall-agent")
    report = as_json(parser.parse_args().agent, "show", "--json")
    body = {name: state.get("body") for name, state in report["sections"].items()}
    compare = Comparison()
    software(compare, body["software"])
    storage(compare, body["storage"])
    volume(compare, body["volume"])
    network(compare, body["network"])
    cpu(compare, body["cpu"])
    memory(compare, body["memory"])
    system(compare, body["system"], body["os"])
    port(compare, body["port"])
    user(compare, body["user"])
    pci(compare, body["pci"])
    service(compare, body["service"])
    print("| field | compared | same |\n| --- | ---: | ---: |")
    for field, (compared, same) in compare.counts.items():
        print(f"| {field} | {compared} | {same} |")
    print()
    for difference in compare.differences:
        print(difference)
    return 1 if compare.differences else 0


if __name__ == "__main__":
    sys.exit(main())
