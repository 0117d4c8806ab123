/* SPDX-License-Identifier: MIT */
/* See metadata.h. */
#include "hakmem/guard/metadata.h"

#include "hakmem/base/bits.h"
#include "hakmem/os/os.h"

static size_t metadata_margin(void) { return guard_has(HAK_FEATURE_METADATA) ? hak_os_page_size() : 0; }

static void metadata_protect(void *start, size_t size) {
    if (size != 0) {
        (void)hak_os_make_inaccessible(start, size);
    }
}

int hak_metadata_map(size_t size, void **out) {
    const size_t margin = metadata_margin();
    void *start;
    const int error = hak_os_map(size + 2 * margin, hak_os_page_size(), &start);
    if (error != 0) {
        return error;
    }
    metadata_protect(start, margin);
    metadata_protect((char *)start + margin + size, margin);
    *out = (char *)start + margin;
    return 0;
}

static unsigned metadata_records;   /* the caller's lock */
static char *metadata_next;         /* likewise; where the next record goes that lies beside others */
static unsigned metadata_next_left; /* likewise; so many more */

int hak_metadata_map_record(size_t size, void **out) {
    if (metadata_next_left == 0) {
        const unsigned together =
            guard_has(HAK_FEATURE_METADATA) && metadata_records >= METADATA_ALONE ? METADATA_TOGETHER : 1;
        void *start;
        const int error = hak_metadata_map(together * size, &start);
        if (error != 0) {
            return error;
        }
        metadata_next = start;
        metadata_next_left = together;
    }
    *out = metadata_next;
    metadata_next += size;
    metadata_next_left--;
    metadata_records++;
    return 0;
}

int hak_metadata_unmap(void *start, size_t size) {
    const size_t margin = metadata_margin();
    return hak_os_unmap((char *)start - margin, size + 2 * margin);
}

int hak_metadata_reserve(size_t size, void **out) {
    void *start;
    const size_t margin = HAK_GUARD_FULL ? hak_os_page_size() : 0;
    const int error = hak_os_reserve(size + 2 * margin, &start);
    if (error == 0) {
        *out = (char *)start + margin;
    }
    return error;
}

void hak_metadata_protect_table(void *table, size_t size) {
    const size_t margin = metadata_margin();
    const uintptr_t page = hak_os_page_size(), start = (uintptr_t)table;
    metadata_protect((void *)((start & ~(page - 1)) - margin), margin);
    metadata_protect((void *)bits_round_up(start + size, page), margin);
}
