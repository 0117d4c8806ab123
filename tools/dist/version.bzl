# SPDX-License-Identifier: MIT
"""The version of hakmem: the only place that says it.

From here it goes into hak_version(), the SONAME, the dist tree, pkg-config, CMake, the command's --version, the manual
pages and the Debian package.
"""

HAKMEM_VERSION = "0.1.0"

# The day of this version, for manual pages and the changelog. It is also every file's time in the packages, so
# that two builds of one source are equal byte for byte.
HAKMEM_RELEASE_DATE = "2026-11-22"

# A program needs the shared library by this name. It changes with the binary interface: structs of the header have no room to
# grow, so while the major number is 0 every minor one is an interface of its own, and both stand in the name.
HAKMEM_SONAME = "libhakmem.so." + (
    HAKMEM_VERSION.rpartition(".")[0] if HAKMEM_VERSION.startswith("0.") else HAKMEM_VERSION.partition(".")[0]
)

# For the package's control fields. "invalid" is the domain that never exists: the source names no address.
HAKMEM_MAINTAINER = "hakmem maintainers <maintainers@hakmem.invalid>"
