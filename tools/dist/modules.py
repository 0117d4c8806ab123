# SPDX-License-Identifier: MIT
"""Gathers the modules of the command hakmem into a zip file, each at its place: what main.py imports, no other, and what
they read beside them.

    modules.py --output modules.zip

Exit status 0: it is written. Exit status 2: standard error says what was wrong.
"""

from __future__ import annotations

import argparse
import modulefinder
import sys
import zipfile
from pathlib import Path
from typing import Sequence

STATUS_REFUSED = 2  # argparse's own status for wrong arguments.

# Bazel lays this module at ROOT/tools/dist/modules.py.
_ROOT = Path(__file__).absolute().parents[2]
_MAIN = "tools/cli/main.py"
_OWN = ("tools",)
_READ = tuple(f"tools/cli/{name}" for name in ("flame.html", "flame.js", "snapshot.html", "snapshot.js"))


class Refusal(Exception):
    """Nothing can be written; the text says why, for standard error."""


def found() -> dict[str, bytes]:
    """Path below the root -> text, of main.py and of all that it imports from there. Packages come with their
    __init__.py: without, another package of the same name anywhere on Python's path would be taken for them."""
    finder = modulefinder.ModuleFinder([str(_ROOT)])
    finder.run_script(str(_ROOT / _MAIN))
    missing = [name for name in finder.any_missing() if name.partition(".")[0] in _OWN]
    if missing:
        raise Refusal(f"{_MAIN} imports what is not there: {', '.join(missing)}")
    # modulefinder's own modules, not the types that the checker takes them for.
    files = [file for module in finder.modules.values() if (file := getattr(module, "__file__"))]
    paths = [Path(file).relative_to(_ROOT) for file in files] + [Path(name) for name in _READ]
    return {str(path): (_ROOT / path).read_bytes() for path in paths}


def write(modules: dict[str, bytes], output: Path) -> None:
    with zipfile.ZipFile(output, "w") as archive:
        for path in sorted(modules):
            archive.writestr(zipfile.ZipInfo(path), modules[path])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="modules.py", description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("--output", required=True, type=Path, help="file to write")
    parsed = parser.parse_args(arguments)
    try:
        write(found(), parsed.output)
    except (Refusal, OSError) as error:
        print(f"modules.py: {error}", file=sys.stderr)
        return STATUS_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
