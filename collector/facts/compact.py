#!/usr/bin/env python3
"""Makes the compact lifecycle facts: compact.py INPUT > os-lifecycle.json

INPUT is a snapshot in the form "os-lifecycle/1": the products of the sources named in README.md
with all they say. This keeps what an agent can report and what a verdict needs, writes the full
name of each cycle, and puts each cycle on a line of its own so that a newer snapshot reads well
as a difference.
"""
import json
import sys

KEPT_KINDS = ("windows", "linux", "macos")
WINDOWS_FAMILIES = {
    "W": "Home and Pro",
    "E": "Enterprise and Education",
    "LTSC": "LTSC",
    "IOT_LTSC": "IoT LTSC",
    "IOT_CORE": "IoT Core",
}
NAMES = {
    "arch": "Arch Linux", "manjaro": "Manjaro", "endeavouros": "EndeavourOS",
    "cachyos": "CachyOS", "opensuse-tumbleweed": "openSUSE Tumbleweed",
    "opensuse-slowroll": "openSUSE Slowroll", "gentoo": "Gentoo", "void": "Void Linux",
    "kali": "Kali Linux", "solus": "Solus", "wolfi": "Wolfi", "windows": "Windows",
    "windows-server": "Windows Server", "macos": "macOS",
}


def name_of(product, label, release):
    cycle = release.get("label", release["cycle"])
    if product == "windows":
        families = release["match"].get("edition_family", [])
        cycle = cycle.split(" (")[0].replace(" IOT", "").replace(" IoT", "")
        plain = families == ["any"] or "W" in families and "E" in families
        edition = "" if plain else ", " + WINDOWS_FAMILIES[families[0]]
        return f"Windows {cycle}{edition}"
    if cycle.startswith((label, "LMDE", "Mac OS X", "OS X")):
        return cycle
    return f"{label} {cycle}"


def compact_cycle(product, label, release):
    out = {"cycle": release["cycle"], "name": name_of(product, label, release)}
    for key in ("released", "eol", "extended_end", "extended_kind", "latest", "latest_date"):
        if release.get(key):
            out[key] = release[key]
    match = release.get("match", {})
    for key in ("build", "edition_family"):
        if key in match:
            out[key] = match[key]
    if "esu_evidence" in release:
        out["extended_from_revision"] = release["esu_evidence"]["ubr_over"] + 1
    if release.get("warn"):
        out["disputed"] = True
    return out


def main():
    facts = json.load(open(sys.argv[1], encoding="utf-8"))
    head = {
        "snapshot": facts["snapshot"],
        "sources": [
            {"name": s["name"], "date": s.get("date", s.get("version")), "licence": s["licence"]}
            for s in facts["sources"]
        ],
        "windows_edition_families": facts["windows_edition_families"],
    }
    print(json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1] + ',"products":[')
    products = [p for p in facts["products"]
                if p["kind"] in KEPT_KINDS and "package" not in p["match"]]
    for at, product in enumerate(products):
        match = product["match"]
        label = NAMES.get(product["product"], product["label"])
        out = {"product": product["product"], "name": label, "kind": product["kind"]}
        # SLES for SAP lives longer than SLES by dates that the sources do not have.
        ids = [i for i in match.get("id", []) + match.get("id_alias", []) if i != "sles_sap"]
        if ids:
            out["ids"] = ids
        # A derivative that keeps the id of its parent is told apart by its name.
        names = ["Ubuntu"] if product["product"] == "ubuntu" else match.get("name", [])
        if names:
            out["names"] = names
        if match.get("name_not"):
            out["names_not"] = match["name_not"]
        if match["cycle_rule"] == "rolling":
            out["rolling"] = True
        if product["product"] == "debian":
            out["rolling_without_version"] = True
        if "extended" in product:
            out["extended_access"] = product["extended"]["access"]
        print(json.dumps(out, ensure_ascii=False, separators=(",", ":"))[:-1] + ',"cycles":[')
        releases = [] if out.get("rolling") else product["releases"]
        lines = [json.dumps(compact_cycle(product["product"], label, r), ensure_ascii=False,
                            separators=(",", ":")) for r in releases]
        print(",\n".join(lines))
        print("]}" + ("," if at + 1 < len(products) else ""))
    print("]}")


main()
