/* SPDX-License-Identifier: MIT */
/* The mapping that a huge block lies in, from region/kept.h and back to it.
 *
 * Full guard builds put an inaccessible chunk behind each mapping. When the block is freed they clear it, make it
 * inaccessible and let it wait in the quarantine; only then it goes back to region/kept.h. Any thread; takes no lock
 * but those of guard/ and region/. */
#ifndef HAKMEM_HUGE_MAPPING_H
#define HAKMEM_HUGE_MAPPING_H

#include "hakmem/base/config.h"
#include "hakmem/guard/guard.h"
#include "hakmem/os/os.h"
#include "hakmem/region/kept.h"

int hak_mapping_alloc_guarded(size_t size, size_t alignment, void **start, bool *zeroed);
void hak_mapping_free_guarded(void *start, size_t size);

/* As hak_os_remap for the block's own bytes: grows by moving the pages, shrinks in place. If the block moved, the
 * caller passes the old range to hak_mapping_leave. Takes no lock. */
int hak_mapping_resize_guarded(void *start, size_t old_size, size_t new_size, void **out);

/* Puts the address range that a moved block of `size` bytes left into the quarantine, unless another mapping took
 * it. */
void hak_mapping_leave(void *start, size_t size);

/* Frees all ranges in the quarantine. Returns their bytes of address space. */
size_t hak_mapping_drain(void);

/* As hak_kept_alloc and hak_kept_free, for `size` bytes that the program may use. */
HAK_ALWAYS_INLINE int mapping_alloc(size_t size, size_t alignment, void **start, bool *zeroed) {
    return (HAK_GUARD_FULL ? hak_mapping_alloc_guarded : hak_kept_alloc)(size, alignment, start, zeroed);
}

HAK_ALWAYS_INLINE void mapping_free(void *start, size_t size) {
    (HAK_GUARD_FULL ? hak_mapping_free_guarded : hak_kept_free)(start, size);
}

HAK_ALWAYS_INLINE int mapping_resize(void *start, size_t old_size, size_t new_size, void **out) {
    return HAK_GUARD_FULL ? hak_mapping_resize_guarded(start, old_size, new_size, out)
                          : hak_os_remap(start, old_size, new_size, HAK_CHUNK_BYTES, out);
}

#endif
