/* SPDX-License-Identifier: MIT */
/* Returns blocks to their slabs, one bitmap word at a time; see slab.h.
 *
 * The magazine layer calls it with the oldest half of a returned magazine, from any thread. A run of blocks of the same
 * slab in the magazine costs one write per word and one atomic update of the slab's count. */
#include "hakmem/base/assert.h"
#include "hakmem/base/bits.h"
#include "hakmem/misuse/misuse.h"
#include "hakmem/slab/check.h"
#include "hakmem/slab/control.h"
#include "hakmem/slab/partial.h"
#include "hakmem/slab/slab.h"

/* The base of no slab: no pointer lies within a slab's length behind it. */
#define BATCH_NOWHERE (UINTPTR_MAX / 2 + 1)

struct batch {
    uint32_t self; /* number of the freeing thread */
    unsigned class_index;
    bool is_late;                      /* the calls that freed the blocks have returned */
    uint32_t remote;                   /* blocks that went to slabs of others so far */
    struct slab *slab;                 /* where the blocks below belong; NULL: nothing gathered */
    uintptr_t base;                    /* the slab's */
    uint32_t turn;                     /* slab_turn(base) */
    uint64_t *free_bits, *remote_bits; /* the slab's */
    bool own;                          /* self owns it */
    bool has_free;                     /* its free_bits may have a bit set; else they are not looked at */
    uint32_t uncounted;                /* remote bits that are set and not yet added to the slab's count */
    uint32_t word;                     /* of the bitmap */
    uint64_t bits;                     /* gathered for that word */
    uint32_t bit_count;                /* == popcount(bits) */
};

/* `is_late`: p is one of several, which came out of a magazine. */
static void batch_report(enum hak_misuse kind, const void *p, unsigned class_index, bool is_late) {
    hak_report_misuse_of(
        &(struct hak_misuse_report){.kind = kind,
                                    .operation = "free",
                                    .p = p,
                                    .block_size = kind == HAK_MISUSE_FOREIGN ? 0 : hak_classes[class_index].block_size,
                                    .is_late = is_late});
}

void hak_slab_report_double(const struct slab *slab, unsigned class_index, uint32_t word, uint64_t bits, bool is_late) {
    for (; bits != 0; bits &= bits - 1) {
        const uint32_t block = word * 64 + bits_lowest(bits);
        const void *p = (const void *)slab_block_address(slab_base(slab), block, &hak_classes[class_index]);
        batch_report(HAK_MISUSE_DOUBLE_FREE, p, class_index, is_late);
    }
}

static void batch_report_double(const struct batch *batch, uint64_t bits) {
    hak_slab_report_double(batch->slab, batch->class_index, batch->word, bits, batch->is_late);
}

/* Bits that were set already: none, but for misuse. */
static uint32_t batch_count(uint64_t already) { return HAK_LIKELY(already == 0) ? 0 : bits_count(already); }

static void batch_flush_own_word(struct batch *batch) {
    struct slab *slab = batch->slab;
    /* Relaxed: only the owner writes. The remote word is looked at for double frees only. */
    uint64_t before = hak_load_relaxed(&batch->free_bits[batch->word]);
    uint64_t already = batch->bits & (before | hak_load_relaxed(&batch->remote_bits[batch->word]));
    if (HAK_UNLIKELY(already != 0)) {
        batch_report_double(batch, already);
    }
    hak_store_relaxed(&batch->free_bits[batch->word], before | (batch->bits & ~already));
    slab->free_count += batch->bit_count - batch_count(already);
    if (batch->word < slab->scan_word) {
        slab->scan_word = batch->word;
    }
}

static void batch_flush_remote_word(struct batch *batch) {
    /* Relaxed: while a block is live its own bit is 0 here, and was before the block was handed out.
     * A slab is set, though the analyzer does not know it: no block lies where a batch without one looks. */
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    uint64_t already = batch->has_free ? batch->bits & hak_load_relaxed(&batch->free_bits[batch->word]) : 0;
    uint64_t bits = batch->bits & ~already;
    /* Release: what this thread wrote to the blocks is before the drain that takes the bits. */
    uint64_t before = hak_fetch_or_release(&batch->remote_bits[batch->word], bits);
    DISTURB();
    already |= bits & before;
    if (HAK_UNLIKELY(already != 0)) {
        batch_report_double(batch, already);
    }
    batch->uncounted += batch->bit_count - batch_count(already);
}

static void batch_flush_word(struct batch *batch) {
    if (batch->own) {
        batch_flush_own_word(batch);
    } else {
        batch_flush_remote_word(batch);
    }
    batch->bits = 0;
    batch->bit_count = 0;
}

/* Counts the frees of others' slabs: the last access to the slab, unless this addition moves it. */
static void batch_end_slab(struct batch *batch) {
    if (batch->slab == NULL) {
        return;
    }
    batch_flush_word(batch);
    const uint32_t count = batch->uncounted;
    if (count == 0) {
        return;
    }
    batch->uncounted = 0;
    batch->remote += count;
    DISTURB();
    /* Acquire-release: release pairs with the acquire of drains and relists; acquire, because the thread
     * that completes the count gives the span away after all others are done with it. */
    uint64_t before = hak_fetch_add_acq_rel(&batch->slab->control, control_delta(SLAB_FULL, SLAB_FULL, count));
    if (control_state(before) == SLAB_OWNED) {
        return;
    }
    const int64_t blocks = hak_classes[batch->class_index].blocks;
    const int64_t count_before = control_count(before);
    if (control_level(count_before, blocks) != control_level(count_before + count, blocks) ||
        (before & CONTROL_PURGED) != 0) {
        DISTURB();
        hak_partial_relist(batch->slab, batch->class_index);
    }
}

/* Goes on with `first`, in its slab. */
static void batch_begin_slab(struct batch *batch, const struct slab_position *first) {
    struct slab *slab = first->slab;
    batch->slab = slab;
    batch->base = first->base;
    batch->turn = first->turn;
    batch->free_bits = slab_free_bits(slab, batch->class_index);
    batch->remote_bits = slab_remote_bits(slab, batch->class_index);
    /* Relaxed, both: if this thread owns the slab it stored them; else it frees as others do, whatever they become. The
     * owner lies in a line of its own, so it is looked at last. */
    const uint64_t control = hak_load_relaxed(&slab->control);
    const bool is_owned = control_state(control) == SLAB_OWNED;
    batch->own = is_owned && batch->self != SLAB_NOBODY && hak_load_relaxed(&slab->owner) == batch->self;
    /* A block that its new owner freed meanwhile, and this call again, is found by a drain. */
    batch->has_free = is_owned || (control & CONTROL_HAS_FREE) != 0;
    batch->word = first->block / 64;
    batch->bits = (uint64_t)1 << first->block % 64;
    batch->bit_count = 1;
}

/* What led from p's chunk to its slab: a span that covers the chunk, and starts where it says. Stale where p was freed
 * before its slab was given back, so the chunk has to be of the class. */
static HAK_COLD void batch_check_span(const void *p, unsigned class_index) {
    struct region *region = region_of(p);
    const unsigned chunk = region_chunk_of(p);
    if (hak_region_chunk_class(p) == class_index) {
        const unsigned first = hak_load_relaxed(&region->span_first[chunk]);
        slab_expect(first <= chunk && chunk - first < hak_classes[class_index].chunks,
                    (const struct slab *)&region->descriptors[chunk], SLAB_NO_SPAN);
    }
}

/* Whether the slab, which slab_locate found for a block of the class, is of the class still. Another class means that every
 * block of the slab was free since. */
HAK_ALWAYS_INLINE bool batch_is_of_class(const struct slab *slab, unsigned class_index) {
    /* Relaxed: a live block keeps its slab's class. */
    if (HAK_UNLIKELY(control_class(hak_load_relaxed(&slab->control)) != class_index)) {
        return false;
    }
    if (HAK_UNLIKELY(hak_classes[class_index].chunks > 1)) {
        /* Where it is one, slab_locate found the block in the chunk that it was asked for. Relaxed: see slab_of. */
        const unsigned first = slab_chunk(slab);
        slab_expect(hak_load_relaxed(&region_of(slab)->span_first[first]) == first, slab, SLAB_NO_SPAN);
    }
    return true;
}

/* Where p lies. false: it is no block of the class, and *wrong says what it is. */
HAK_ALWAYS_INLINE bool batch_find(unsigned class_index, const void *p, struct slab_position *out,
                                  enum hak_misuse *wrong) {
    /* The page map's index is masked: only the address itself shows bits above those of any block. */
    if (HAK_UNLIKELY((uintptr_t)p >> HAK_ADDRESS_BITS != 0)) {
        *wrong = HAK_MISUSE_FOREIGN;
        return false;
    }
    if (HAK_UNLIKELY(!slab_locate(p, class_index, out) || out->offset != 0)) {
        batch_check_span(p, class_index);
        *wrong = HAK_MISUSE_INTERIOR;
        return false;
    }
    if (HAK_UNLIKELY(!batch_is_of_class(out->slab, class_index))) {
        *wrong = HAK_MISUSE_DOUBLE_FREE;
        return false;
    }
    return true;
}

bool hak_slab_is_taken(const void *p, unsigned class_index, enum hak_misuse *wrong) {
    struct slab_position position;
    if (!batch_find(class_index, p, &position, wrong)) {
        return false;
    }
    *wrong = HAK_MISUSE_DOUBLE_FREE;
    return !slab_has_free(&position, class_index);
}

/* Whether a block of the class may start at p, in the slab that begins at `base`. */
HAK_ALWAYS_INLINE bool batch_is_within(const void *p, uintptr_t base, const struct hak_class *constants) {
    return (uintptr_t)p - base < (uintptr_t)constants->blocks * constants->block_size;
}

/* Frees blocks that lie in the batch's slab, up to the first address at which none starts. Returns how many. They need no look
 * at the class: that cannot change while frees are not counted. */
static uint32_t batch_free_run(struct batch *batch, void *const *blocks, uint32_t count) {
    const struct hak_class *constants = &hak_classes[batch->class_index];
    const uint64_t reciprocal = constants->reciprocal, block_size = constants->block_size;
    const uintptr_t base = batch->base;
    const uint32_t turn = batch->turn;
    uint64_t bits = batch->bits;
    uint32_t i = 0, gathered_from = 0;
    for (; i < count; i++) {
        const uint64_t offset = (uintptr_t)blocks[i] - base, place = offset * reciprocal >> HAK_RECIPROCAL_SHIFT;
        if (HAK_UNLIKELY(offset != place * block_size)) {
            break;
        }
        const uint32_t block = slab_block_at((uint32_t)place, turn, constants);
        const uint64_t bit = (uint64_t)1 << block % 64;
        /* Where a block comes a second time, its bit is written first, so that the second is found out. */
        if (block / 64 != batch->word || (bits & bit) != 0) {
            batch->bits = bits;
            batch->bit_count += i - gathered_from;
            batch_flush_word(batch);
            bits = 0;
            gathered_from = i;
            batch->word = block / 64;
        }
        bits |= bit;
    }
    batch->bits = bits;
    batch->bit_count += i - gathered_from;
    return i;
}

/* Fetches what a free of the block writes if others own its slab, or nobody does. */
HAK_ALWAYS_INLINE void batch_fetch(const struct slab_position *at, unsigned class_index) {
    __builtin_prefetch(&at->slab->control, 1);
    __builtin_prefetch(&slab_remote_bits(at->slab, class_index)[at->block / 64], 1);
}

/* Blocks one after the other that lie in one slab: most blocks of a magazine lie in few slabs. */
struct batch_piece {
    struct slab_position at; /* of the first one. A slab of NULL: no block of the class starts there, and it is alone */
    uint32_t count;          /* how many */
};

/* So many slabs are located before the first block is freed, so that they come into the cache meanwhile: a free's loads depend
 * on each other, and its atomic operations are in the way of the next one's loads. */
#define BATCH_GROUP 16u

/* Cuts the first ones of the blocks into pieces. Returns how many pieces. */
static uint32_t batch_locate(unsigned class_index, void *const *blocks, uint32_t count, struct batch_piece *out) {
    const struct hak_class *constants = &hak_classes[class_index];
    uint32_t i = 0, found = 0;
    while (i < count && found < BATCH_GROUP) {
        const uint32_t first = i;
        struct slab_position *at = &out[found].at;
        if (HAK_LIKELY((uintptr_t)blocks[i] >> HAK_ADDRESS_BITS == 0 && slab_locate(blocks[i], class_index, at) &&
                       at->offset == 0)) {
            batch_fetch(at, class_index);
        } else {
            *at = (struct slab_position){.base = BATCH_NOWHERE};
        }
        do {
            i++;
        } while (i < count && batch_is_within(blocks[i], at->base, constants));
        out[found++].count = i - first;
    }
    return found;
}

static HAK_COLD void batch_report_wrong(const struct batch *batch, const void *p) {
    struct slab_position position;
    enum hak_misuse wrong;
    if (!batch_find(batch->class_index, p, &position, &wrong)) {
        batch_report(wrong, p, batch->class_index, batch->is_late);
    }
}

/* Frees the blocks of a piece, and reports those that are none. */
HAK_ALWAYS_INLINE void batch_free_piece(struct batch *batch, const struct slab_position *at, void *const *blocks,
                                        uint32_t count) {
    if (HAK_UNLIKELY(at->slab == NULL || !batch_is_of_class(at->slab, batch->class_index))) {
        for (uint32_t i = 0; i < count; i++) {
            batch_report_wrong(batch, blocks[i]);
        }
        return;
    }
    batch_end_slab(batch);
    batch_begin_slab(batch, at);
    for (uint32_t i = 1; i < count && (i += batch_free_run(batch, blocks + i, count - i)) < count; i++) {
        batch_report_wrong(batch, blocks[i]);
    }
}

uint32_t hak_slab_free_blocks(uint32_t self, unsigned class_index, void *const *blocks, uint32_t count) {
    struct batch batch = {.self = self, .class_index = class_index, .is_late = count > 1};
    for (uint32_t from = 0; from < count;) {
        struct batch_piece group[BATCH_GROUP];
        const uint32_t pieces = batch_locate(class_index, blocks + from, count - from, group);
        for (uint32_t i = 0; i < pieces; from += group[i++].count) {
            batch_free_piece(&batch, &group[i].at, blocks + from, group[i].count);
        }
    }
    batch_end_slab(&batch);
    return batch.remote;
}
