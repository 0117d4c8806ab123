# SPDX-License-Identifier: MIT
"""The version of hakmem: the only place that says it.

From here it goes into hak_version(), the SONAME, the dist tree, pkg-config, CMake, the manual pages and the
Debian package.
"""

HAKMEM_VERSION = "0.1.0"

# The day of this version, for manual pages and the changelog. It is also every file's time in the packages, so
# that two builds of one source are equal byte for byte.
HAKMEM_RELEASE_DATE = "2026-11-22"

# A program needs the shared library by this name. The number changes with the binary interface: the major one of
# the version, and while that is 0 nothing is promised beyond what the header says.
HAKMEM_SONAME = "libhakmem.so." + HAKMEM_VERSION.split(".")[0]

# For the package's control fields. "invalid" is the domain that never exists: the source names no address.
HAKMEM_MAINTAINER = "hakmem maintainers <maintainers@hakmem.invalid>"
