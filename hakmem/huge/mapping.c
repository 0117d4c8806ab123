/* See mapping.h. */
#include "hakmem/huge/mapping.h"

#include "hakmem/guard/block.h"
#include "hakmem/guard/pages.h"
#include "hakmem/guard/quarantine.h"
#include "hakmem/os/os.h"

/* What lies behind a block. */
static size_t mapping_behind(void) { return (size_t)pages_chunks_behind() * HAK_CHUNK_BYTES; }

int mapping_alloc_guarded(size_t size, size_t alignment, void **start, bool *zeroed) {
    const size_t bytes = size + mapping_behind();
    int error = large_alloc(bytes, alignment, start, zeroed);
    if (error != 0 && mapping_drain() > 0) {
        error = large_alloc(bytes, alignment, start, zeroed);
    }
    if (error != 0) {
        return error;
    }
    if (guard_has(HAK_FEATURE_PAGES)) {
        pages_protect_huge(*start, size);
    }
    /* What is kept was cleared when it was freed. */
    *zeroed |= guard_has(HAK_FEATURE_ZERO);
    return 0;
}

/* What waited is accessible again, and kept. What never did goes to the system, or nothing would find a read of it. */
static void mapping_release(struct quarantine_span span, bool waited) {
    if (guard_has(HAK_FEATURE_PAGES)) {
        pages_forget_huge();
    }
    if (guard_has(HAK_FEATURE_PAGES) && (!waited || os_make_writable(span.start, span.bytes) != 0)) {
        /* The system's limit of mappings may refuse: then the addresses are lost. */
        (void)os_unmap(span.start, span.bytes);
    } else {
        large_free(span.start, span.bytes);
    }
}

void mapping_free_guarded(void *start, size_t size) {
    const struct quarantine_span span = {.start = start, .bytes = size + mapping_behind()};
    struct quarantine_span leaving;
    if (guard_has(HAK_FEATURE_ZERO)) {
        guard_clear(start, size);
    }
    if (!guard_has(HAK_FEATURE_QUARANTINE)) {
        mapping_release(span, false);
        return;
    }
    if (guard_has(HAK_FEATURE_PAGES)) {
        (void)os_make_inaccessible(start, size); /* refused: for want of mappings; the block waits without */
    }
    while (quarantine_pass_huge(&span, &leaving)) {
        mapping_release(leaving, true);
    }
}

size_t mapping_drain(void) {
    struct quarantine_span leaving;
    size_t bytes = 0;
    while (quarantine_drain_huge(&leaving)) {
        mapping_release(leaving, true);
        bytes += leaving.bytes;
    }
    return bytes;
}
