#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tools/hakmem: starts the built command, whose --help says what it does.
set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
built=$root/bazel-bin/tools/cli/hakmem
if [ ! -x "$built" ]; then
    printf 'tools/hakmem: not built yet: cd %s && bazel build //tools:hakmem\n' "$root" >&2
    exit 2
fi
unset BUILD_WORKING_DIRECTORY # of a `bazel run` around this: the caller is here now
exec "$built" "$@"
