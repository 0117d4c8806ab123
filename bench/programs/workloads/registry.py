# SPDX-License-Identifier: MIT
"""All program families, as the tests are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.programs.workloads.families import (
    archive,
    compilers,
    cpython,
    git,
    imagemagick,
    java,
    lua,
    nginx,
    node,
    perl,
    postgres,
    redis,
    sqlite,
    stress,
)
from bench.programs.workloads.workload import Workload

FAMILIES: Mapping[str, Sequence[Workload]] = {
    "archive": archive.WORKLOADS,
    "clang": compilers.CLANG,
    "gcc": compilers.GCC,
    "gxx": compilers.GXX,
    "git": git.WORKLOADS,
    "imagemagick": imagemagick.WORKLOADS,
    "java": java.WORKLOADS,
    "lua": lua.WORKLOADS,
    "nginx": nginx.WORKLOADS,
    "node": node.WORKLOADS,
    "perl": perl.WORKLOADS,
    "postgres": postgres.WORKLOADS,
    "python": cpython.WORKLOADS,
    "redis": redis.WORKLOADS,
    "sqlite": sqlite.WORKLOADS,
    "stress": stress.WORKLOADS,
}
