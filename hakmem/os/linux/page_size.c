/* SPDX-License-Identifier: MIT */
/* The size of a page.
 *
 * Thread-safe, also before initialisation: the kernel passes the value to every program, and it is read once. */
#include <sys/auxv.h>

#include "hakmem/os/linux/linux.h"

static size_t page_size; /* atomic; 0: not read yet */

size_t hak_os_page_size(void) {
    /* Relaxed, both: every thread stores the same. */
    size_t size = hak_load_relaxed(&page_size);
    if (HAK_UNLIKELY(size == 0)) {
        size = getauxval(AT_PAGESZ);
        hak_store_relaxed(&page_size, size);
    }
    return size;
}
