/* SPDX-License-Identifier: MIT */
/* See mapping.h. */
#include "hakmem/huge/mapping.h"

#include <string.h>

#include "hakmem/guard/block.h"
#include "hakmem/guard/pages.h"
#include "hakmem/guard/quarantine.h"

/* What lies behind a block. */
static size_t mapping_behind(void) { return (size_t)pages_chunks_behind() * HAK_CHUNK_BYTES; }

int hak_mapping_alloc_guarded(size_t size, size_t alignment, void **start, bool *zeroed) {
    const size_t bytes = size + mapping_behind();
    int error = hak_kept_alloc(bytes, alignment, start, zeroed);
    if (error != 0 && hak_mapping_drain() > 0) {
        error = hak_kept_alloc(bytes, alignment, start, zeroed);
    }
    if (error != 0) {
        return error;
    }
    if (guard_has(HAK_FEATURE_PAGES)) {
        hak_pages_protect_huge(*start, size);
    }
    /* What is kept was cleared when it was freed. */
    *zeroed |= guard_has(HAK_FEATURE_ZERO);
    return 0;
}

/* What waited is accessible again, and kept. What never did goes to the system, or nothing would find a read of it. */
static void mapping_release(struct quarantine_span span, bool waited) {
    if (guard_has(HAK_FEATURE_PAGES)) {
        hak_pages_forget_huge();
    }
    if (guard_has(HAK_FEATURE_PAGES) && (!waited || hak_os_make_writable(span.start, span.bytes) != 0)) {
        /* The system's limit of mappings may refuse: then the addresses are lost. */
        (void)hak_os_unmap(span.start, span.bytes);
    } else {
        hak_kept_free(span.start, span.bytes);
    }
}

static void mapping_wait(struct quarantine_span span) {
    struct quarantine_span leaving;
    while (hak_quarantine_pass_huge(&span, &leaving)) {
        mapping_release(leaving, true);
    }
}

void hak_mapping_free_guarded(void *start, size_t size) {
    const struct quarantine_span span = {.start = start, .bytes = size + mapping_behind()};
    if (guard_has(HAK_FEATURE_ZERO)) {
        guard_clear(start, size);
    }
    if (!guard_has(HAK_FEATURE_QUARANTINE)) {
        mapping_release(span, false);
        return;
    }
    if (guard_has(HAK_FEATURE_PAGES)) {
        (void)hak_os_make_inaccessible(start, size); /* refused: for want of mappings; the block waits without */
    }
    mapping_wait(span);
}

/* The chunk behind what stays becomes the one that nobody touches; all behind that goes, the old one included. */
static int mapping_shrink(char *start, size_t old_size, size_t new_size) {
    char *const behind = start + new_size;
    const size_t behind_bytes = mapping_behind();
    const int error = hak_os_unmap(behind + behind_bytes, old_size - new_size);
    if (error != 0) {
        return error;
    }
    /* What is kept of a mapping reads zero. */
    if (behind_bytes != 0 && hak_os_purge(behind, behind_bytes) != 0) {
        memset(behind, 0, behind_bytes);
    }
    return 0;
}

int hak_mapping_resize_guarded(void *start, size_t old_size, size_t new_size, void **out) {
    /* A larger one takes the chunk behind it along as new memory: the old one, in its way, stays behind. */
    const int error = new_size < old_size
                          ? mapping_shrink(start, old_size, new_size)
                          : hak_os_remap(start, old_size, new_size + mapping_behind(), HAK_CHUNK_BYTES, out);
    if (error == 0 && guard_has(HAK_FEATURE_PAGES)) {
        hak_pages_forget_huge();
        hak_pages_protect_huge(*out, new_size);
    }
    return error;
}

void hak_mapping_leave(void *start, size_t size) {
    const size_t behind_bytes = mapping_behind();
    if (behind_bytes == 0) {
        return;
    }
    if (!guard_has(HAK_FEATURE_QUARANTINE) || hak_os_map_left(start, size) != 0) {
        (void)hak_os_unmap((char *)start + size, behind_bytes);
        return;
    }
    hak_pages_protect_huge(start, size);
    mapping_wait((struct quarantine_span){.start = start, .bytes = size + behind_bytes});
}

size_t hak_mapping_drain(void) {
    struct quarantine_span leaving;
    size_t bytes = 0;
    while (hak_quarantine_drain_huge(&leaving)) {
        mapping_release(leaving, true);
        bytes += leaving.bytes;
    }
    return bytes;
}
