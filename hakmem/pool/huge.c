/* SPDX-License-Identifier: MIT */
/* See huge.h. */
#include "hakmem/pool/huge.h"

#include "hakmem/huge/huge.h"
#include "hakmem/process/begin.h"
#include "hakmem/process/purge.h"
#include "hakmem/sample/hooks.h"
#include "hakmem/sample/profile.h"

/* `asked`: as in pool.h */
static void pool_note_huge(const void *p, size_t asked, const void *site) {
    if (HAK_UNLIKELY(sampling_is_on()) && p != NULL) {
        hak_profile_note_huge(p, hak_huge_usable_size(p), asked, hak_profile_site != NULL ? hak_profile_site : site);
        hooks_note_sampled(p);
    }
}

void *hak_pool_alloc_huge(size_t size, size_t alignment, bool *zeroed, const void *site) {
    hak_process_begin();
    void *p = hak_huge_alloc(size, alignment, zeroed);
    pool_note_huge(p, size, site);
    purge_poll_alloc(NULL);
    return p;
}

bool hak_pool_free_huge(void *p, const void *caller) {
    if (!hak_huge_free(p)) {
        return false;
    }
    purge_poll(caller);
    return true;
}

/* What was sampled of the block is forgotten first, since its address may be another's at once; the block of the new size is a
 * new trial. */
void *hak_pool_realloc_huge(void *p, size_t size) {
    if (HAK_UNLIKELY(sampling_was_on())) {
        hooks_note_freed(p);
        (void)hak_profile_forget(p, NULL);
    }
    void *moved = hak_huge_realloc(p, size);
    pool_note_huge(moved, size, NULL);
    purge_poll(NULL);
    return moved;
}
