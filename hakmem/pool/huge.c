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

/* Of a sampled block. The hook is called first, and the record set aside: the address may be another's at once. */
static HAK_COLD void *pool_realloc_sampled(void *p, size_t size) {
    hooks_note_freed(p);
    const uintptr_t aside = hak_profile_set_aside(p);
    void *moved = hak_huge_realloc(p, size);
    if (aside == 0) {
        return moved; /* it was not sampled after all */
    }
    if (moved != NULL) {
        hak_profile_forget_aside(aside);
    } else {
        hak_profile_put_back(aside, p);
        hooks_note_sampled(p);
    }
    return moved;
}

/* The block of the new size is a new trial. */
void *hak_pool_realloc_huge(void *p, size_t size) {
    if (!hak_huge_is_possible(size)) {
        return NULL; /* before any hook is called */
    }
    void *moved = HAK_UNLIKELY(sampling_was_on()) ? pool_realloc_sampled(p, size) : hak_huge_realloc(p, size);
    pool_note_huge(moved, size, NULL);
    purge_poll(NULL);
    return moved;
}
