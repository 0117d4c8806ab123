# SPDX-License-Identifier: MIT
"""Makes one static archive of many, to be linked without Bazel.

    static_archive.py --compiler gcc --ar ar --objcopy objcopy --objdump objdump --output libX.a
        --member X libA.a libB.a --member Y libC.a

Each member is linked from all objects of its archives; the linker takes a member only where a program refers to it.
Names that the objects hide from other libraries become local, so that a program with a function slab_free of its own
links. What one member hides and another one needs cannot be local; it is given a name with a prefix that no program
has.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Sequence

STATUS_REFUSED = 2  # argparse's own status for wrong arguments.

# Names of the public header begin so: programs keep off it.
_OWN_PREFIX = "hak_"
_SHARED_PREFIX = "hak_internal_"

# A line of `objdump --syms`: value, seven columns of flags, section, size, visibility, name.
_SYMBOL = re.compile(
    r"^[0-9a-f]+ (?P<flags>.{7}) (?P<section>\S+)\s+[0-9a-f]+ (?P<hidden>\.hidden )?(?P<name>\S+)$", re.MULTILINE
)
_UNDEFINED = "*UND*"


class Refusal(Exception):
    """Nothing can be written; the text says why, for standard error."""


def run(*command: str | Path) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Refusal(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def hidden_and_wanted(listing: str) -> tuple[set[str], set[str]]:
    """Of a member's symbols: the global ones that are hidden, and those that others have to define."""
    symbols = [match.groupdict() for match in _SYMBOL.finditer(listing)]
    wanted = {one["name"] for one in symbols if one["section"] == _UNDEFINED}
    # Binding is the first flag; u and w are global in their own ways.
    hidden = {
        one["name"]
        for one in symbols
        if one["hidden"] and one["section"] != _UNDEFINED and (one["flags"][0] in "gu" or one["flags"][1] == "w")
    }
    return hidden, wanted


def finish(joined: dict[Path, tuple[set[str], set[str]]], objcopy: str, scratch: Path) -> None:
    """Hides in each joined object what it hides, from all but the other members."""
    hidden_in_any = set().union(*(hidden for hidden, _ in joined.values()))
    between = hidden_in_any & set().union(*(wanted for _, wanted in joined.values()))
    renamed = {name: _SHARED_PREFIX + name for name in between if not name.startswith(_OWN_PREFIX)}
    for member, (hidden, _) in joined.items():
        options = [f"--localize-symbol={name}" for name in sorted(hidden - between)]
        options += [f"--redefine-sym={old}={new}" for old, new in sorted(renamed.items())]
        changes = scratch / "changes"
        changes.write_text("".join(f"{option}\n" for option in options))
        run(objcopy, f"@{changes}", member)


def make_archive(parsed: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        joined = {}
        for name, *archives in parsed.member:
            if not archives:
                raise Refusal(f"--member {name}: no archive is named for it")
            member = scratch / f"{name}.o"
            run(parsed.compiler, "-r", "-nostdlib", "-o", member, "-Wl,--whole-archive", *archives)
            joined[member] = hidden_and_wanted(run(parsed.objdump, "--syms", member))
        finish(joined, parsed.objcopy, scratch)
        # D: no times, owners or modes. s: the index, which every linker wants.
        run(parsed.ar, "rcsD", parsed.output, *joined)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="static_archive.py", description=__doc__.split("\n")[0], allow_abbrev=False)
    for tool in ("compiler", "ar", "objcopy", "objdump"):
        parser.add_argument(f"--{tool}", required=True)
    parser.add_argument("--member", required=True, action="append", nargs="+", metavar=("NAME", "ARCHIVE"))
    parser.add_argument("--output", required=True, type=Path, help="archive to write; it must not exist")
    parsed = parser.parse_args(arguments)
    try:
        make_archive(parsed)
    except Refusal as refusal:
        print(f"static_archive.py: {refusal}", file=sys.stderr)
        return STATUS_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
