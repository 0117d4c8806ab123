# SPDX-License-Identifier: MIT
"""Git: a generated history imported, cloned, packed, checked and shown."""

from __future__ import annotations

import random
from pathlib import Path

from bench.programs.workloads import generate
from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Need, Outcome, Workload

_COMMITS = 400
_FILES = 60

# Two threads whatever the machine has; nothing in the background that would outlive the run.
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "4",
    "GIT_CONFIG_KEY_0": "pack.threads",
    "GIT_CONFIG_VALUE_0": "2",
    "GIT_CONFIG_KEY_1": "gc.autoDetach",
    "GIT_CONFIG_VALUE_1": "false",
    "GIT_CONFIG_KEY_2": "maintenance.auto",
    "GIT_CONFIG_VALUE_2": "false",
    "GIT_CONFIG_KEY_3": "init.defaultBranch",
    "GIT_CONFIG_VALUE_3": "main",
}


def history(generator: random.Random) -> bytes:
    """A stream for `git fast-import`: commits at fixed times, each changing a few lines of a few files."""
    known = generate.words(generator, 3_000)
    files = {f"folder{n % 7}/file{n}.txt": [generator.choice(known) for _ in range(300)] for n in range(_FILES)}
    stream = [b"feature done\n"]
    for number in range(_COMMITS):
        message = f"change {number}\n\n{' '.join(generator.choices(known, k=20))}\n".encode()
        stamp = b"A U Thor <author@example.com> %d +0000\n" % (1_600_000_000 + 60 * number)
        stream += [b"commit refs/heads/main\nauthor ", stamp, b"committer ", stamp]
        stream += [b"data %d\n" % len(message), message]
        for name in sorted(files) if number == 0 else generator.sample(sorted(files), 3):
            lines = files[name]
            for _ in range(10):
                lines[generator.randrange(len(lines))] = " ".join(generator.choices(known, k=6))
            content = "\n".join(lines).encode()
            stream += [b"M 100644 inline ", name.encode(), b"\ndata %d\n" % len(content), content, b"\n"]
    return b"".join([*stream, b"done\n"])


class Repository(Workload):
    name = "git"
    task = "git: fast-import of a history, clone, aggressive gc with two threads, fsck, log with patches, blame"
    needs = (Need("/usr/bin/git", "git"),)
    programs = frozenset({"git"})

    def prepare(self, inputs: Path, seed: int) -> None:
        (inputs / "history").write_bytes(history(random.Random(seed)))

    def run(self, session: Session) -> Outcome:
        def git(*arguments: str, stdin: Path | None = None) -> bytes:
            return session.run("git", *arguments, stdin=stdin, environment=_ENVIRONMENT).stdout

        git("init", "--quiet", "--bare", "origin")
        git("-C", "origin", "fast-import", "--quiet", stdin=session.inputs / "history")
        git("clone", "--quiet", "--no-local", "origin", "copy")
        git("-C", "copy", "gc", "--quiet", "--aggressive", "--prune=now")
        # Packs are not compared: which deltas two threads find depends on how their work falls together.
        outputs = {
            "fsck": git("-C", "copy", "fsck", "--full", "--strict", "--no-progress"),
            "objects": git("-C", "copy", "rev-list", "--objects", "--all"),
            "log": git("-C", "copy", "log", "--patch", "--stat"),
            "blame": git("-C", "copy", "blame", "--line-porcelain", "folder0/file0.txt"),
            "status": git("-C", "copy", "status", "--porcelain"),
        }
        git("-C", "copy", "verify-pack", *map(str, (session.folder / "copy/.git/objects/pack").glob("*.idx")))
        commits = outputs["log"].count(b"\ncommit ") + 1
        expect(commits == _COMMITS, f"the log shows {commits} commits of {_COMMITS}")
        expect(outputs["fsck"] == b"" and outputs["status"] == b"", "fsck or status found something")
        counted = git("-C", "copy", "count-objects", "-v").decode().splitlines()
        listed = len(outputs["objects"].splitlines())
        expect(f"in-pack: {listed}" in counted and "count: 0" in counted, f"not all of {listed} objects are packed")
        return Outcome(outputs)


WORKLOADS = (Repository(),)
