# SPDX-License-Identifier: MIT
"""Runs a program with libhakmem.so preloaded and finds out whose malloc it used.

The dynamic linker itself tells: LD_DEBUG=bindings writes a line for each name that it binds, whoever asked, dlsym
included. Nothing is added to the program for that.
"""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

# The names of malloc's family, C++'s operators among them: where one process has two owners for these, blocks of
# one go to the other.
FAMILY = re.compile(
    r"(__libc_)?(malloc|c?free|calloc|realloc|reallocarray|memalign|aligned_alloc|posix_memalign|p?valloc|mallopt|"
    r"mallinfo2?|malloc_(usable_size|trim|stats|info))|_Z(n[wa]m|d[la]P).*"
)

_BINDING = re.compile(
    r"binding file (?P<user>\S+) \[(?P<space>\d+)\] to (?P<owner>\S+) \[\d+\]: normal symbol `(?P<name>[^']+)'"
)

Binding = tuple[str, str, str]
"""User, owner, name."""


class Run:
    """What became of one program.

    status is its exit status, negative where a signal ended it; bindings are (user, owner, name) of the family in
    the program's own name space, over the program and all that it started.
    """

    def __init__(self, done: subprocess.CompletedProcess[str], bindings: set[Binding]) -> None:
        self.status = done.returncode
        self.stdout = done.stdout
        self.stderr = done.stderr
        self.bindings = bindings

    def owners(self) -> set[str]:
        """Base names of the libraries that the family's names lead to."""
        return {os.path.basename(owner) for _, owner, _ in self.bindings}


def read_bindings(folder: str) -> set[Binding]:
    """The family's bindings from the files that LD_DEBUG_OUTPUT left in a folder."""
    bindings = set()
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            for line in file:
                found = _BINDING.search(line)
                if found and found["space"] == "0" and FAMILY.fullmatch(found["name"]):
                    bindings.add((found["user"], found["owner"], found["name"]))
    return bindings


def run(
    program: str | os.PathLike[str],
    library: str | os.PathLike[str] | None = None,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    arguments: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
) -> Run:
    """Runs `program`; library None: without hakmem. Paths may be relative. The environment is `env` alone.

    A program that hangs is killed before a small test's minute is over.
    """
    preload = [os.path.abspath(path) for path in [*before, *([library] if library else []), *after]]
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as folder:
        environment = {"PATH": "/usr/bin:/bin", "LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": os.path.join(folder, "ld")}
        if preload:
            environment["LD_PRELOAD"] = ":".join(preload)
        environment.update(env or {})
        done = subprocess.run(
            [os.path.abspath(program), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Run(done, read_bindings(folder))


def is_hakmem(path: str) -> bool:
    return os.path.basename(path).startswith("libhakmem")


def bypasses(done: Run) -> list[str]:
    """Bindings of the family that do not lead to libhakmem.so, but for those that it makes itself; a line each."""
    return sorted(
        f"{name} of {os.path.basename(user)} is bound to {os.path.basename(owner)}"
        for user, owner, name in done.bindings
        if not is_hakmem(owner) and not is_hakmem(user)
    )


def status_of(text: str) -> int:
    """ "0", "3", "SIGABRT" as a status of subprocess."""
    return -signal.Signals[text].value if text.startswith("SIG") else int(text)
