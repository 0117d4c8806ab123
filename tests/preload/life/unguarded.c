/* SPDX-License-Identifier: MIT */
/* In place of hakmem/os/linux/c_library.c, by the linker's --wrap: no address is the C library's. */
#include "hakmem/os/os.h"

bool __wrap_hak_os_is_c_library(const void *address);

bool __wrap_hak_os_is_c_library(const void *address) {
    (void)address;
    return false;
}
