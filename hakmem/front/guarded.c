/* SPDX-License-Identifier: MIT */
/* See guarded.h. Any thread; no lock is held on the way in. */
#include "hakmem/front/guarded.h"

#include <errno.h>
#include <string.h>

#include "hakmem/base/bits.h"
#include "hakmem/front/guarded_fast.h"
#include "hakmem/front/misuse.h"
#include "hakmem/front/sized.h"
#include "hakmem/guard/block.h"
#include "hakmem/guard/quarantine.h"
#include "hakmem/guard/zero_size.h"
#include "hakmem/huge/huge.h"
#include "hakmem/huge/mapping.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/pool/huge.h"
#include "hakmem/process/begin.h"
#include "hakmem/slab/moving.h"

/* A block that is not the program's yet. */
struct guarded {
    void *p;              /* NULL: no memory */
    unsigned class_index; /* 0: huge */
    size_t block_bytes;
    bool zeroed; /* all of it reads zero */
    bool fresh;  /* above L2: its memory is new, or was purged */
};

/* Bytes of the live block at p, any p; 0: none starts there. */
static size_t guarded_block_bytes(const void *p, unsigned class_index) {
    return class_index != 0 ? hak_classes[class_index].block_size : hak_huge_usable_size(p);
}

/* Whether all of a block that is a slab of its own is known to be resident: where one of that class or a larger one was, and
 * nothing tells of a purge since, which only costs memory where it was of a part of the slab. */
static bool guarded_is_resident(const struct slab *slab, unsigned class_index) {
    return class_index >= HAK_L25_CLASS_FIRST && slab->resident_class >= class_index;
}

static void guarded_note_resident(struct slab *slab, unsigned class_index, bool resident) {
    if (class_index >= HAK_L25_CLASS_FIRST && slab->resident_class < class_index && resident) {
        slab->resident_class = (uint8_t)class_index;
    }
}

/* Of a block that was just taken. */
static bool guarded_is_fresh(const struct guarded *block) {
    if (block->class_index < HAK_L25_CLASS_FIRST || block->p == NULL || !block->zeroed) {
        return false;
    }
    slab_of(block->p)->resident_class = 0;
    return true;
}

/* A block with room for `size` bytes and the canary. */
static struct guarded guarded_get(size_t alignment, size_t size) {
    const size_t padded = guard_block_padded(size);
    struct guarded block = {.class_index = alignment == FRONT_ALIGNMENT_NONE ? size_class_of(padded)
                                                                             : front_aligned_class(alignment, padded)};
    if (HAK_LIKELY(block.class_index != 0)) {
        block.p = pool_pop(block.class_index);
        if (HAK_LIKELY(block.p != NULL)) {
            block.zeroed = exchange_is_zeroed(block.class_index);
        } else {
            block.p = hak_pool_alloc_slow_zeroed(block.class_index, size, &block.zeroed);
        }
        block.block_bytes = hak_classes[block.class_index].block_size;
        block.fresh = guarded_is_fresh(&block);
    } else {
        block.p = hak_pool_alloc_huge(padded, alignment, &block.zeroed, NULL);
        block.block_bytes = bits_round_up(padded, HAK_CHUNK_BYTES);
    }
    return block;
}

/* Back to where it came from; nothing was done to it. */
static HAK_COLD void *guarded_unget(const struct guarded *block) {
    if (block->class_index != 0) {
        shadow_set(block->p, 0);
        hak_exchange_free(block->class_index, block->p);
    } else {
        hak_pool_free_huge(block->p, NULL);
    }
    errno = ENOMEM;
    return NULL;
}

static void *guarded_zero_size(void) {
    void *p = hak_zero_size_alloc();
    if (p == NULL) {
        errno = ENOMEM;
    }
    return p;
}

/* `clear`: constant; the block has to read zero. */
HAK_ALWAYS_INLINE void *guarded_give(size_t alignment, size_t size, bool clear, const void *caller) {
    hak_process_begin(); /* the features are known from then on */
    if (HAK_UNLIKELY(size == 0) && guard_has(HAK_FEATURE_ZERO_SIZE) && alignment <= ZERO_SIZE_ALIGNMENT) {
        return guarded_zero_size();
    }
    if (HAK_UNLIKELY(size > PTRDIFF_MAX)) {
        errno = ENOMEM;
        return NULL;
    }
    const struct guarded block = guarded_get(alignment, size);
    if (HAK_UNLIKELY(block.p == NULL)) {
        return NULL;
    }
    const enum guard_give given = hak_guard_block_give(block.p, block.block_bytes, size, block.fresh);
    if (HAK_UNLIKELY(given == GUARD_NOT_GIVEN)) {
        return guarded_unget(&block);
    }
    if (HAK_UNLIKELY(given == GUARD_GIVEN_WRITTEN)) {
        hak_misuse_report_block(HAK_MISUSE_WRITE_AFTER_FREE, "malloc", block.p, caller);
    }
    const bool zeroed = block.zeroed || (block.class_index != 0 && guard_block_is_zero(block.block_bytes));
    return !clear || zeroed ? block.p : memset(block.p, 0, size);
}

/* A block that was written while it was free. */
static HAK_COLD void *guarded_written(void *p, size_t block_bytes, size_t size, const void *caller) {
    guard_clear(p, block_bytes);
    guard_block_resize(p, block_bytes, size);
    hak_misuse_report_block(HAK_MISUSE_WRITE_AFTER_FREE, "malloc", p, caller);
    return p;
}

/* Brings the block that the class's next allocation gets, and its entry of the shadow, into the cache: what waited is cold.
 * Where there is none, to fetch ahead from no address of anything does nothing. */
HAK_ALWAYS_INLINE void guarded_expect_next(unsigned class_index) {
    void **top = hak_load_owned(&hak_loaded[class_index]);
    const uintptr_t next = (uintptr_t)top[-1];
    __builtin_prefetch((const void *)next, 1);
    __builtin_prefetch((const void *)((uintptr_t)hak_shadow.classes + (next >> SHADOW_SHIFT)), 1);
}

/* What is done to a block of tiny or L2 before the program gets it. */
HAK_ALWAYS_INLINE void *guarded_finish(void *p, unsigned class_index, size_t size, unsigned features,
                                       const void *caller) {
    const size_t block_bytes = hak_classes[class_index].block_size;
    if ((features & HAK_FEATURE_CHECK) != 0 && HAK_UNLIKELY(!guard_reads_zero(p, block_bytes))) {
        return guarded_written(p, block_bytes, size, caller);
    }
    if ((features & HAK_FEATURE_CANARY) != 0) {
        canary_write(p, block_bytes, size);
    }
    return p;
}

/* The magazine is empty, or the size is above L2 or 0, and the class 0 then. */
static HAK_NOINLINE void *guarded_alloc_missed(size_t size, unsigned class_index, const void *caller) {
    if (class_index == 0 || hak_self == NULL) {
        return guarded_give(FRONT_ALIGNMENT_NONE, size, false, caller);
    }
    void *p = hak_pool_alloc_slow(class_index, size);
    return p == NULL ? NULL : guarded_finish(p, class_index, size, hak_options.guard, caller);
}

/* A block of tiny or L2 from the magazine. Before the process is initialised there is none; the features are those of the
 * default, with which every size but 0 is padded. */
void *hak_guarded_alloc(size_t size, const void *caller) {
    const unsigned features =
        hak_options.guard; /* once: what is stored to the block could be it, for all the compiler knows */
    const size_t padded = size + (features & HAK_FEATURE_CANARY ? CANARY_BYTES : 0);
    void *p = NULL;
    unsigned class_index = 0;
    if (HAK_LIKELY(size - 1 < HAK_L2_MAX - CANARY_BYTES)) {
        class_index = HAK_LIKELY(padded <= HAK_TINY_MAX) ? size_class_tiny(padded) : size_class_l2(padded);
        p = pool_pop(class_index);
    }
    if (HAK_UNLIKELY(p == NULL)) {
        return guarded_alloc_missed(size, class_index, caller);
    }
    guarded_expect_next(class_index);
    return guarded_finish(p, class_index, size, features, caller);
}

void hak_guarded_free_full(void *p, unsigned class_index) {
    const int saved_errno = errno;
    hak_exchange_free(class_index, p);
    errno = saved_errno;
}

void hak_guarded_free_larger(void *p, unsigned class_index) {
    memset(p, 0, hak_classes[class_index].block_size);
    if (HAK_UNLIKELY(!magazine_push(class_index, p))) {
        hak_guarded_free_full(p, class_index);
    }
}

void *hak_guarded_calloc(size_t bytes, const void *caller) {
    if (HAK_LIKELY(guard_has(HAK_FEATURE_CHECK) && bytes - 1 < HAK_L2_MAX - CANARY_BYTES)) {
        return hak_guarded_alloc(bytes, caller); /* it was looked at, and reads zero */
    }
    return guarded_give(FRONT_ALIGNMENT_NONE, bytes, true, caller);
}

void *hak_guarded_aligned_alloc(size_t alignment, size_t size, const void *caller) {
    return guarded_give(alignment, size, false, caller);
}

/* What was asked for. An overflow is reported once: the canary is whole again afterwards. */
static size_t guarded_size(const char *operation, const void *p, size_t block_bytes, const void *caller) {
    size_t size;
    if (HAK_UNLIKELY(!guard_block_is_intact(p, block_bytes, &size))) {
        hak_canary_note_changed();
        hak_misuse_report_block(HAK_MISUSE_OVERFLOW, operation, p, caller);
        canary_write((void *)p, block_bytes, size);
    }
    return size;
}

void hak_guarded_take(void *p, unsigned class_index, const void *caller) {
    const size_t block_bytes = guarded_block_bytes(p, class_index);
    if (HAK_UNLIKELY(block_bytes == 0)) {
        return;
    }
    (void)guarded_size("free", p, block_bytes, caller);
    if (class_index == 0) {
        return; /* a huge one is mapping.h's */
    }
    struct slab *slab = slab_of(p);
    bool resident = guarded_is_resident(slab, class_index);
    hak_guard_block_take(p, block_bytes, &resident);
    guarded_note_resident(slab, class_index, resident);
}

bool hak_guarded_free_zero_size(void *p) { return hak_zero_size_has(p) && hak_zero_size_free(p); }

bool hak_guarded_is_live(const void *p) {
    return guarded_block_bytes(p, shadow_class(p)) != 0 || hak_zero_size_is_live(p);
}

size_t hak_guarded_usable_size(const void *p, const void *caller) {
    const size_t block_bytes = guarded_block_bytes(p, shadow_class(p));
    return block_bytes == 0 ? 0 : guarded_size("malloc_usable_size", p, block_bytes, caller);
}

bool hak_guarded_size_fits(const void *p, size_t block_bytes, size_t size, const void *caller) {
    return !guard_has(HAK_FEATURE_CANARY) || guarded_size("free", p, block_bytes, caller) == size;
}

static void *guarded_move(void *p, size_t old_size, size_t size, const void *caller) {
    void *moved = hak_guarded_alloc(size, caller);
    if (moved != NULL) {
        memcpy(moved, p, old_size < size ? old_size : size);
        hak_free(p);
    }
    return moved;
}

/* Whether a block of that class and length is what a request for `size` gets. */
static bool guarded_stays(unsigned class_index, size_t block_bytes, size_t size) {
    if (size > PTRDIFF_MAX) {
        return false; /* no block is that large, and a little more would be none at all */
    }
    const size_t padded = guard_block_padded(size);
    if (class_index != 0 || padded <= HAK_L25_MAX) {
        return class_index != 0 && size_class_of(padded) == class_index;
    }
    return bits_round_up(padded, HAK_CHUNK_BYTES) == block_bytes;
}

/* A huge block that stays huge. NULL: the kernel does not move it, and it is as it was. */
static void *guarded_realloc_huge(void *p, size_t block_bytes, size_t old_size, size_t size) {
    const size_t padded = guard_block_padded(size);
    if (guard_has(HAK_FEATURE_CANARY)) {
        canary_clear(p, block_bytes, old_size); /* it may come to lie in what the program gets */
    }
    void *moved = hak_pool_realloc_huge(p, padded);
    if (moved == NULL) {
        guard_block_resize(p, block_bytes, old_size);
        return NULL;
    }
    guard_block_resize(moved, bits_round_up(padded, HAK_CHUNK_BYTES), size);
    return moved;
}

void *hak_guarded_realloc(void *p, size_t size, const void *caller) {
    if (hak_zero_size_is_live(p)) {
        return guarded_move(p, 0, size, caller);
    }
    const unsigned class_index = shadow_class(p);
    const size_t block_bytes = guarded_block_bytes(p, class_index);
    if (HAK_UNLIKELY(block_bytes == 0)) {
        hak_misuse_stop(HAK_MISUSE_DOUBLE_FREE, "realloc", p, caller);
        errno = EINVAL;
        return NULL;
    }
    const size_t old_size = guarded_size("realloc", p, block_bytes, caller);
    if (guarded_stays(class_index, block_bytes, size)) {
        guard_block_resize(p, block_bytes, size);
        return p;
    }
    void *moved = NULL;
    if (class_index == 0 && size <= PTRDIFF_MAX && guard_block_padded(size) > HAK_L25_MAX) {
        moved = guarded_realloc_huge(p, block_bytes, old_size, size);
    }
    return moved != NULL ? moved : guarded_move(p, old_size, size, caller);
}

void hak_guarded_drain(void) {
    hak_moving_begin(); /* from the quarantines to the slabs */
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        void *leaving[QUARANTINE_BATCH];
        uint32_t count;
        while ((count = hak_quarantine_drain(class_index, leaving)) != 0) {
            /* As nobody: their slabs' owners, if any, fold them in later. */
            hak_slab_free_blocks(SLAB_NOBODY, class_index, leaving, count);
        }
    }
    hak_moving_end();
    (void)hak_mapping_drain();
}
