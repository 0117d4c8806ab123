/* SPDX-License-Identifier: MIT */
/* Keeps the addresses of a moved mapping reserved.
 *
 * Called after a move, by any thread. Another thread may have mapped something there since the move, so an existing
 * mapping is never replaced. */
#include "hakmem/os/linux/linux.h"

int hak_os_map_left(void *start, size_t size) {
    const int error = linux_mmap_there(start, size, PROT_NONE);
    if (error != 0) return error;
    linux_count(maps, 1);
    linux_count(mapped_bytes, size);
    return 0;
}
