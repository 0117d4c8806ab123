# SPDX-License-Identifier: MIT
"""Which user a server runs as: root's servers give up root, and PostgreSQL does not start without."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from bench.programs.workloads.errors import CheckError

_MAP = Path("/proc/self/uid_map")


def known_here(uid: int, uid_map: str) -> bool:
    """Whether the user namespace has the user: a sandbox's may have root alone. `uid_map` is the kernel's file."""
    ranges = (tuple(int(field) for field in line.split()) for line in uid_map.split("\n") if line)
    return any(first <= uid < first + count for first, _, count in ranges)


def account(user: str) -> pwd.struct_passwd | None:
    """The account that root gives a program to; None where this is not root, who alone can."""
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        raise CheckError(f"root gives a program to the user {user}, who does not exist here") from None
    if not known_here(found.pw_uid, _MAP.read_text()):
        raise CheckError(
            f"root gives a program to the user {user}, whom this user namespace does not have: "
            "run the test outside Bazel's linux-sandbox, or not as root"
        )
    return found


def nginx_user() -> str:
    """nginx's directive for its workers: `nobody` under root, and root where the namespace has root alone. Anybody
    else's workers stay what they are, and the directive would be a warning."""
    if os.geteuid() != 0:
        return ""
    nobody = pwd.getpwnam("nobody")
    return "user nobody nogroup;" if known_here(nobody.pw_uid, _MAP.read_text()) else "user root root;"
