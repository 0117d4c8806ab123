# SPDX-License-Identifier: MIT
"""Rewrites the golden headers in the source tree and says which of them changed.

    bazel run //codegen:update

golden_test.py compares against the same files; this is the only way that they change, so that a review sees
what a change of the generator or of a spec does to the header.
"""

import os
import sys
from pathlib import Path

from codegen.goldens import GOLDENS, fresh_header


def main() -> int:
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY")
    if workspace is None:
        print("BUILD_WORKSPACE_DIRECTORY is not set; start this with: bazel run //codegen:update", file=sys.stderr)
        return 2
    for golden in GOLDENS:
        path = Path(workspace) / golden.path
        fresh = fresh_header(golden)
        unchanged = path.is_file() and path.read_text(encoding="utf-8") == fresh
        if not unchanged:
            path.write_text(fresh, encoding="utf-8")
        print(f"{golden.path}: {'unchanged' if unchanged else 'changed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
