/* SPDX-License-Identifier: MIT */
/* The program's callbacks for sampled blocks: hak_profile_set_hooks of the public header.
 *
 * Slow paths call them where the thread holds no lock of hakmem and is in no exchange, so that a hook may allocate and free. The
 * block is looked up anew there, and only while there are hooks. Any thread; HOOKS_* below say which of them is in a hook. */
#ifndef HAKMEM_SAMPLE_HOOKS_H
#define HAKMEM_SAMPLE_HOOKS_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HOOKS_SET 1u      /* there are hooks */
#define HOOKS_CHANGING 2u /* a thread changes them, and waits until no other is in one; never with HOOKS_SET */
#define HOOKS_ONE 4u      /* times this: threads that are in a hook; it grows only with HOOKS_SET */

extern uint32_t hak_hooks_state; /* atomic */

HAK_COLD void hak_hooks_tell_sampled(const void *p);
HAK_COLD void hak_hooks_tell_freed(const void *p);

/* Relaxed: who enters a hook looks again, with acquire. */
HAK_ALWAYS_INLINE bool hooks_are_set(void) { return HAK_UNLIKELY(hak_load_relaxed(&hak_hooks_state) & HOOKS_SET); }

/* Tells of p if it is a sampled block that was just allocated, or that hooks_note_freed told of and that is not freed after all.
 * Nobody else has p yet, or any more. pre: p is NULL or a block's start */
HAK_ALWAYS_INLINE void hooks_note_sampled(const void *p) {
    if (hooks_are_set()) {
        hak_hooks_tell_sampled(p);
    }
}

/* Tells of p if it is a sampled block that is about to be freed: its address cannot be another's yet. Any p. */
HAK_ALWAYS_INLINE void hooks_note_freed(const void *p) {
    if (hooks_are_set()) {
        hak_hooks_tell_freed(p);
    }
}

/* The child of a fork has this thread alone. pre: no other thread runs */
void hak_hooks_fork_child(void);

#ifdef __cplusplus
}
#endif

#endif
