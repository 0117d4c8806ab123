# SPDX-License-Identifier: MIT
"""What differs from run to run whatever the allocator, and is taken out before two runs are compared.

Everything else is compared to the byte. Where a thing is left out entirely (packs of git, random keys of a
benchmark), the family says why beside the comparison.
"""

from __future__ import annotations

from collections.abc import Mapping


def without_headers(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    """Headers of an HTTP answer without `names`: those that say when it was given, or when a file was written."""
    left_out = {name.lower() for name in names}
    return {name: value for name, value in headers.items() if name.lower() not in left_out}
