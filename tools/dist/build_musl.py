# SPDX-License-Identifier: MIT
"""Builds the library by musl-gcc: shared, and as an archive of one member, so that what nobody names is linked too."""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COMPILER = "musl-gcc"
# As .bazelrc and tools/bazel/copts.bzl.
_FLAGS = (
    "-O2 -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wundef -Wconversion -fPIC -fvisibility=hidden -fno-builtin -fno-plt "
    "-foptimize-sibling-calls -fexceptions -ffunction-sections -fdata-sections -fno-stack-protector"
).split()
# As tools/bazel/copts.bzl: marks for shadow stacks.
_IS_X86_64 = platform.machine() == "x86_64"
_FLAGS += ["-fcf-protection=return"] if _IS_X86_64 else []
# What ships: hakmem/flags/flags.bzl.
_SWITCHES = (
    "HAK_DEBUG=0 HAK_GUARD=0 HAK_P0_CLASS_TABLE=1 HAK_P1_BATCHED_STATS=1 HAK_P2_INLINE_FAST_PATH=1 HAK_P3_SENTINELS=1"
).split()
_LINK = "-shared -Wl,-soname,libhakmem.so -Wl,-z,nodelete,-z,now,-z,defs -Wl,--gc-sections -Wl,--eh-frame-hdr -static-libgcc"
_LINK += " -Wl,-z,shstk" if _IS_X86_64 else ""


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("header", "exports", "shared", "archive"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    parser.add_argument("--define", action="append", default=[])
    parser.add_argument("inputs", nargs="+", type=Path, help="sources and headers below hakmem/")
    parsed = parser.parse_args()
    if shutil.which(COMPILER) is None:
        print(
            f"build_musl.py: {COMPILER} is not there, which compiles for musl; tools/setup installs it: musl-tools",
            file=sys.stderr,
        )
        return 1
    with tempfile.TemporaryDirectory() as folder:
        generated = Path(folder, "codegen", "hak_classes.h")
        generated.parent.mkdir()
        generated.write_bytes(parsed.header.read_bytes())
        command = [COMPILER, *_FLAGS, *(f"-D{define}" for define in [*_SWITCHES, *parsed.define])]
        command += ["-I.", "-Ihakmem/include", f"-I{folder}", "-c"]
        sources = [path for path in parsed.inputs if path.suffix == ".c"]
        objects = [str(Path(folder, f"{number}.o")) for number in range(len(sources))]

        def compiles(source: Path, made: str) -> bool:
            return subprocess.run([*command, str(source), "-o", made], check=False).returncode == 0

        with ThreadPoolExecutor(2) as pool:
            if not all(pool.map(compiles, sources, objects)):
                return 1
        script = f"-Wl,--version-script={parsed.exports}"
        subprocess.run([COMPILER, *_LINK.split(), script, "-o", str(parsed.shared), *objects], check=True)
        member = str(Path(folder, "hakmem.o"))
        subprocess.run(["ld", "-r", "-o", member, *objects], check=True)
        subprocess.run(["ar", "rcsD", str(parsed.archive), member], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
