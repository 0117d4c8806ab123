#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The command hakmem, installed: its modules lie in share/hakmem beside this file's folder, wherever that is."""

import os
import sys

# What the command imports that does not come with Python -> Debian's package of it.
_PACKAGES = {
    "elftools": "python3-pyelftools",
    "google": "python3-protobuf",
    "numpy": "python3-numpy",
    "rich": "python3-rich",
}

# In place of this file's folder, in which any other program may lie. Nothing is written there: it may be the system's.
sys.path[0] = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "share", "hakmem")
sys.dont_write_bytecode = True

# Of a `bazel run` around this: the caller is in this process's folder.
os.environ.pop("BUILD_WORKING_DIRECTORY", None)

try:
    from tools.cli.main import main

    main()
except ModuleNotFoundError as error:
    package = _PACKAGES.get((error.name or "").partition(".")[0])
    if package is None:
        raise
    sys.exit(f"hakmem: Python's module {error.name} is missing: install {package}")
