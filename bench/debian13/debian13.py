# SPDX-License-Identifier: MIT
"""//bench/debian13: the laboratory, or real programs, beside the allocators of Debian 13, in a root of its own.

    bazel run //bench/debian13 -- lab --json=report13.json [ARGUMENT of //bench:lab]…
    bazel run //bench/debian13 -- programs --json=programs13.json [ARGUMENT of //bench/programs]…

debootstrap makes the root once; what is measured are the libraries that this workspace has built, copied there. Needs root, and
the network for the packages. Nothing outside of the root changes, and what is mounted there is gone with the processes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.engine import identity
from tools.measure import arguments, program
from tools.measure.program import BenchError

NAME = "debian13"
RELEASE = "trixie"
ROOT = Path("/var/cache/hakmem/debian13")

PACKAGES = (
    "binutils", "libjemalloc2", "libmimalloc3", "libtcmalloc-minimal4t64", "python3", "python3-jinja2",
    "python3-jsonschema", "python3-matplotlib", "python3-numpy", "python3-psutil", "python3-rich", "python3-scipy",
    "strace", "valgrind",
)  # fmt: skip
"""The peers, and what the laboratory calls. What real programs need is the business of tools/setup."""

BENCHES = {"lab": "bench/lab/lab", "programs": "bench/programs/programs"}
"""Name -> the program, as Bazel lays it beside this one."""

# Within the root. The folder's ending is what Bazel's starter of a Python program looks for.
_COPY = "opt/hakmem/debian13.runfiles"
_OUTPUT = "opt/hakmem/outcome.json"
_MADE = "opt/hakmem/root-is-made"

# The mounts are in a namespace of the shell's own, and end with it.
_ENTER = """
set -e
root=$1
shift
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
exec chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
"""


def entered(root: Path, command: Sequence[str]) -> list[str]:
    """The command line that runs `command` within the root."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "sh", str(root), *command]


def _run(command: Sequence[str], what: str) -> None:
    status = subprocess.run(command, check=False).returncode
    if status != 0:
        raise BenchError(f"{what} failed with status {status}")


def require_means() -> None:
    """A BenchError where a root can be neither made nor entered."""
    if os.geteuid() != 0:
        raise BenchError("a root is made and entered by root alone: start this as root, or by sudo")
    for tool in ("debootstrap", "unshare", "chroot"):
        if shutil.which(tool) is None:
            raise BenchError(
                f"{tool} is not installed: Debian's packages debootstrap, util-linux and coreutils have it"
            )


def make(root: Path) -> None:
    """Makes the root where it is not there. One that is there has to be of this program, and whole."""
    if (root / _MADE).is_file():
        return
    if root.exists() and any(root.iterdir()):
        raise BenchError(
            f"{root} is there, but no root that this program has made to its end: remove it, or name another --root"
        )
    root.mkdir(parents=True, exist_ok=True)
    line = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", RELEASE, str(root)]
    _run(line, f"debootstrap of {root}")
    (root / _MADE).parent.mkdir(parents=True, exist_ok=True)
    (root / _MADE).touch()


def copy(root: Path, runfiles: Path) -> Path:
    """Copies the programs and libraries into the root, whatever was there before."""
    target = root / _COPY
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(runfiles, target, symlinks=False)
    return target


def with_commit(outcome: dict[str, Any], commit: dict[str, Any] | None) -> dict[str, Any]:
    """A report of the laboratory names its commit; within the root it does not know it."""
    return outcome | {"commit": outcome["commit"] or commit} if "commit" in outcome else outcome


def parser() -> argparse.ArgumentParser:
    own = argparse.ArgumentParser(
        prog=NAME, description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    own.add_argument("bench", choices=tuple(BENCHES), help="what to run")
    own.add_argument(
        "--root",
        type=arguments.caller_path,
        default=ROOT,
        metavar="DIR",
        help="where the root is, or is made (default: %(default)s)",
    )
    own.add_argument("--json", type=arguments.caller_path, metavar="FILE", help="keep the report, or the outcome")
    return own


def main() -> None:
    """Makes the root, runs the bench in it and fetches the outcome."""
    parsed, passed = parser().parse_known_args()
    require_means()
    if parsed.json is not None:
        parsed.json.touch()  # found out before anything is made
    root = parsed.root.absolute()
    make(root)
    target = copy(root, Path(__file__).absolute().parents[3])
    inside = Path("/") / target.relative_to(root) / Path(__file__).absolute().parents[2].name
    if parsed.bench == "programs":
        _run(entered(root, [str(inside / "tools/setup"), "--tests"]), "tools/setup in the root")
    (root / _OUTPUT).unlink(missing_ok=True)
    line = [str(inside / BENCHES[parsed.bench]), f"--json=/{_OUTPUT}", *passed]
    status = subprocess.run(entered(root, line), check=False).returncode
    if parsed.json is not None and (root / _OUTPUT).is_file():
        outcome = json.loads((root / _OUTPUT).read_text(encoding="utf-8"))
        commit = identity.commit(os.environ.get("BUILD_WORKSPACE_DIRECTORY"))
        parsed.json.write_text(json.dumps(with_commit(outcome, commit), allow_nan=False) + "\n", encoding="utf-8")
    sys.exit(status)


if __name__ == "__main__":
    program.run(NAME, main)
