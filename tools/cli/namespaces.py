# SPDX-License-Identifier: MIT
"""Whether a test may make namespaces of processes and files here, as containers have them."""

from __future__ import annotations

import os
import subprocess

UNSHARE = ("unshare", "--pid", "--mount", "--fork", "--kill-child")


def why_not() -> str:
    """Empty where it may; a chroot, whose root is no mount, cannot."""
    if os.geteuid() != 0:
        return "makes namespaces, which is for root"
    done = subprocess.run(
        [*UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True, check=False
    )
    return f"no namespaces here: {done.stderr.strip()}" if done.returncode else ""
