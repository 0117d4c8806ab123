/* SPDX-License-Identifier: MIT */
/* hak_free and its slow path. */
#include <errno.h>

#include "hakmem/front/front_fast.h"
#include "hakmem/front/guarded.h"
#include "hakmem/front/guarded_fast.h"
#include "hakmem/front/misuse.h"
#include "hakmem/front/watched.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/pool/huge.h"
#include "hakmem/process/begin.h"
#include "hakmem/process/purge.h"
#include "hakmem/sample/sampled.h"

/* p is not NULL, or its class in the page map is 0 or not known yet. `caller` as in purge_poll and hak_thread_begin_to_free: every
 * function on the way here is inlined or ends in a jump, so the return address is the program's. */
HAK_ALWAYS_INLINE void free_missed(void *p, const void *caller) {
    p = bits_untagged(p);
    if (WATCHER_RUNS()) {
        p = hak_watched_take(p, caller);
    }
    if (p == NULL) {
        return;
    }
    const int saved_errno = errno;
    hak_process_begin();
    const unsigned class_index = HAK_GUARD_EXACT ? shadow_take(p) : hak_region_chunk_class(p);
    if (HAK_GUARD_FULL) {
        hak_guarded_take(p, class_index, caller);
    }
    if (class_index != 0) {
        hak_exchange_free_called(class_index, p, caller);
        purge_poll(caller);
    } else if (!sampled_free(p, caller) && !(HAK_GUARD_FULL && hak_guarded_free_zero_size(p)) &&
               !hak_pool_free_huge(p, caller)) {
        hak_misuse_stop(HAK_MISUSE_DOUBLE_FREE, "free", p, caller);
    }
    errno = saved_errno;
}

static HAK_COLD void free_guarded_missed(void *p, const void *caller) { free_missed(p, caller); }

static HAK_NOINLINE void free_block_slow(void *p) {
    p = bits_untagged(p);
    if (HAK_GUARD_FULL) {
        if (HAK_UNLIKELY(!guarded_free(p))) {
            free_guarded_missed(p, __builtin_return_address(0));
        }
        return;
    }
    if (WATCHER_RUNS()) {
        free_missed(p, __builtin_return_address(0));
        return;
    }
    struct hak_thread *thread = hak_self;
    const unsigned class_index = !HAK_GUARD_EXACT ? page_map_class(p) : thread != NULL ? shadow_take(p) : 0;
    /* The commonest reason by far: the returned magazine is full. */
    if (HAK_LIKELY(thread != NULL && class_index != 0 && (uintptr_t)p >> HAK_ADDRESS_BITS == 0)) {
        if (HAK_GUARD_EXACT) {
            hak_exchange_free(class_index, p); /* in the shadow's limited form it is not full */
        } else {
            hak_exchange_free_begun(thread, class_index, p);
        }
        purge_poll(__builtin_return_address(0));
        return;
    }
    free_missed(p, __builtin_return_address(0));
}

void hak_front_free_slow(void *p) {
    /* NULL first, before registers are saved for the rest: some programs free it as often as blocks. */
    if (p != NULL) {
        free_block_slow(p);
    }
}

void hak_front_free_remote(void *p) {
    const int saved_errno = errno;
    const unsigned class_index = HAK_GUARD_EXACT ? shadow_take(p) : page_map_class(p);
    if (HAK_GUARD_EXACT && class_index == 0) {
        free_missed(p, __builtin_return_address(0)); /* another thread freed it meanwhile */
        return;
    }
    hak_exchange_free_at_once(class_index, p);
    purge_poll(__builtin_return_address(0));
    errno = saved_errno;
}

void hak_free(void *p) {
    if (HAK_UNLIKELY(!front_free_hot(p))) {
        ladder_splits_paths() ? hak_front_free_slow(p) : free_missed(p, __builtin_return_address(0));
    }
}
