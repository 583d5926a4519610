#!/usr/bin/env python3
"""Hold every dependency to deny.toml: licences, bans and sources.

    check-dependencies.py deny.toml path/to/Cargo.toml

A small stand-in for `cargo deny check licenses bans sources` on machines without cargo-deny. It
reads the keys that our deny.toml uses and refuses a deny.toml with others.
"""

import json
import re
import subprocess
import sys
import tomllib

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
KNOWN_KEYS = {
    "graph": {"targets", "all-features"},
    "licenses": {"version", "allow", "exceptions", "confidence-threshold", "private", "unused-allowed-license"},
    "bans": {"multiple-versions", "wildcards", "allow-wildcard-paths", "deny"},
    "sources": {"unknown-registry", "unknown-git", "allow-registry", "allow-git"},
    "advisories": None,
}


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        rules = tomllib.load(file)
    refuse_unknown_keys(rules)
    metadata = read_metadata(sys.argv[2], rules)
    packages = [package for package in metadata["packages"] if package["source"] is not None]
    users = users_by_name(metadata)
    findings = [finding for package in packages for finding in check(package, users, rules)]
    if findings:
        sys.exit("\n".join(findings))
    print(f"{len(packages)} dependencies keep deny.toml's licences, bans and sources", file=sys.stderr)


def refuse_unknown_keys(rules: dict) -> None:
    for section, content in rules.items():
        known = KNOWN_KEYS.get(section, set())
        unknown = set() if known is None else set(content) - known
        if section not in KNOWN_KEYS or unknown:
            sys.exit(f"deny.toml: this check does not know [{section}] {', '.join(sorted(unknown))}")


def read_metadata(manifest: str, rules: dict) -> dict:
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--manifest-path", manifest]
    graph = rules.get("graph", {})
    for target in graph.get("targets", []):
        command += ["--filter-platform", target]
    if graph.get("all-features"):
        command.append("--all-features")
    result = subprocess.run(command, stdout=subprocess.PIPE)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)} failed: its message is above")
    return json.loads(result.stdout)


def users_by_name(metadata: dict) -> dict:
    """Which crates depend on a crate directly, by name."""
    names = {package["id"]: package["name"] for package in metadata["packages"]}
    users = {}
    for node in metadata["resolve"]["nodes"]:
        for dependency in node["dependencies"]:
            users.setdefault(names[dependency], set()).add(names[node["id"]])
    return users


def check(package: dict, users: dict, rules: dict):
    name, version = package["name"], package["version"]
    if package["source"] != CRATES_IO:
        yield f"{name} {version}: comes from {package['source']}, not from crates.io"
    for ban in rules["bans"].get("deny", []):
        wrong = users.get(name, set()) - set(ban.get("wrappers", []))
        if name == ban["crate"] and wrong:
            yield f"{name} {version}, used by {', '.join(sorted(wrong))}: banned, {ban['reason']}"
    if not allowed(package["license"] or "", allowed_for(name, rules["licenses"])):
        yield f"{name} {version}: licence {package['license'] or 'unknown'} is not among the allowed"


def allowed_for(name: str, rules: dict) -> set:
    extra = [item["allow"] for item in rules.get("exceptions", []) if item["crate"] == name]
    return set(rules["allow"]).union(*extra)


def allowed(expression: str, licences: set) -> bool:
    """An SPDX expression holds when its licences can be chosen among the allowed ones."""
    words = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))
    value, rest = any_of(words, licences)
    return value and not rest


def any_of(words: list, licences: set):
    value, words = all_of(words, licences)
    while words and words[0] == "OR":
        other, words = all_of(words[1:], licences)
        value = value or other
    return value, words


def all_of(words: list, licences: set):
    value, words = one(words, licences)
    while words and words[0] == "AND":
        other, words = one(words[1:], licences)
        value = value and other
    return value, words


def one(words: list, licences: set):
    if not words:
        return False, []
    if words[0] == "(":
        value, words = any_of(words[1:], licences)
        return value, words[1:]
    if words[1:2] == ["WITH"]:
        return " ".join(words[:3]) in licences, words[3:]
    return words[0] in licences, words[1:]


if __name__ == "__main__":
    main()
