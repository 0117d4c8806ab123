# SPDX-License-Identifier: MIT
"""What a build did and what it made: Bazel's execution log and the folder of its outputs, read for the tests here."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

# Where each file of a program's runfiles is on this machine: absolute by design, and written by Bazel itself.
_RUNFILES_FOLDER = ".runfiles"
_RUNFILES_MANIFEST = ".runfiles_manifest"

# How many files of each kind a message names, or are kept.
_SHOWN = 20

# How a spawn may be run, as Bazel's execution log calls it.
BUILT_HERE = "processwrapper-sandbox"
WITHOUT_NETWORK = "linux-sandbox"
FETCHED = "remote cache hit"
SENT = "remote"


@dataclass(frozen=True)
class Spawn:
    """A command that Bazel had to have run; `runner` says how that was done."""

    mnemonic: str
    outputs: tuple[str, ...]
    runner: str


def spawns(log: Path) -> list[Spawn]:
    """Reads --execution_log_json_file: JSON objects one after the other."""
    text = log.read_text(encoding="utf-8").strip()
    decoder = json.JSONDecoder()
    found = []
    position = 0
    while position < len(text):
        one, position = decoder.raw_decode(text, position)
        found.append(Spawn(one["mnemonic"], tuple(sorted(one["listedOutputs"])), one["runner"]))
        while position < len(text) and text[position].isspace():
            position += 1
    return found


def listed(heading: str, names: list[str]) -> str:
    """A paragraph of a failure's message."""
    rest = len(names) - _SHOWN
    return "\n  ".join([f"{heading} ({len(names)}):", *names[:_SHOWN], *([f"and {rest} more"] if rest > 0 else [])])


def not_run_by(found: list[Spawn], runner: str) -> list[str]:
    return sorted(
        f"{spawn.runner}: {spawn.mnemonic} {' '.join(spawn.outputs)}" for spawn in found if spawn.runner != runner
    )


def _digest(path: Path) -> str:
    """A relative link is what it says; an absolute one, which Bazel uses for copies, is what it leads to."""
    if path.is_symlink() and not os.path.isabs(target := os.readlink(path)):
        return f"link to {target}"
    if path.is_dir():
        return "link to an output"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def outputs(workspace: Path) -> dict[str, str]:
    """SHA-256 of each file that actions of any configuration have made, by its path below bazel-out."""
    found = {}
    top = workspace / "bazel-out"
    for configuration in sorted(top.glob("*/bin")):
        for folder, folders, names in os.walk(configuration):
            folders[:] = [name for name in folders if not name.endswith(_RUNFILES_FOLDER)]
            for name in names + [name for name in folders if os.path.islink(os.path.join(folder, name))]:
                if not name.endswith(_RUNFILES_MANIFEST):
                    path = Path(folder) / name
                    found[str(path.relative_to(top))] = _digest(path)
    return found


def differences(one: Path, other: Path) -> str:
    """What is not byte-identical in the outputs of two workspaces; empty where everything is."""
    first, second = outputs(one), outputs(other)
    problems = {
        "made only by the first build": sorted(first.keys() - second.keys()),
        "made only by the second build": sorted(second.keys() - first.keys()),
        "made differently": sorted(name for name in first.keys() & second.keys() if first[name] != second[name]),
    }
    _keep(one, other, problems["made differently"])
    return "\n".join(listed(heading, names) for heading, names in problems.items() if names)


def _keep(one: Path, other: Path, names: list[str]) -> None:
    """Both forms of what differs go to the test's outputs, where somebody can look why."""
    kept = os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR")
    if kept is None:
        return
    for name in names[:_SHOWN]:
        for folder, workspace in (("first", one), ("second", other)):
            source, target = workspace / "bazel-out" / name, Path(kept) / folder / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
