# SPDX-License-Identifier: MIT
"""Where a process belongs: its control group, and the container that this is of, where its name tells."""

from __future__ import annotations

import re

from tools.measure.kernel_text import lines_of
from tools.cli.untrusted import printable

# Docker, containerd, CRI-O and podman name the group of a container by its number: docker-NUMBER.scope, /docker/NUMBER, ..
_CONTAINER = re.compile(r"(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])")

# The kernel's names are at most 255 bytes a folder; what is longer than this is cut.
_GROUP_MOST = 1000


def cgroup_of(pid: int) -> str:
    """The path of its group: of version 2, else of the first hierarchy that has it in one. "": it has none, or is gone."""
    try:
        lines = lines_of(f"/proc/{pid}/cgroup")
    except OSError:
        return ""
    groups = [fields[2] for fields in (line.split(":", 2) for line in reversed(lines)) if len(fields) == 3]
    return printable(next((group for group in groups if group != "/"), ""), _GROUP_MOST)


def container_of(cgroup: str) -> str:
    """The innermost container's number, of 64 digits; "": the name of the group tells of none."""
    found = _CONTAINER.findall(cgroup)
    return str(found[-1]) if found else ""
