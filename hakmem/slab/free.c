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

struct batch {
    uint32_t self; /* number of the freeing thread */
    unsigned class_index;
    bool is_late;                      /* the calls that freed the blocks have returned */
    uint32_t remote;                   /* blocks that went to slabs of others so far */
    struct slab *slab;                 /* where the blocks below belong; NULL: nothing gathered */
    uint64_t *free_bits, *remote_bits; /* the slab's */
    bool own;                          /* self owns it */
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
    uint64_t already = batch->bits & hak_load_relaxed(&batch->free_bits[batch->word]);
    uint64_t bits = batch->bits & ~already;
    /* Release: what this thread wrote to the blocks is before the drain that takes the bits. */
    uint64_t before = hak_fetch_or_release(&batch->remote_bits[batch->word], bits);
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
        hak_partial_relist(batch->slab, batch->class_index);
    }
}

static void batch_begin_slab(struct batch *batch, struct slab *slab, uint32_t first_block) {
    batch->slab = slab;
    batch->free_bits = slab_free_bits(slab, batch->class_index);
    batch->remote_bits = slab_remote_bits(slab, batch->class_index);
    /* Relaxed, both: the owner equals `self` only where this thread stored it, and then the state is this thread's. */
    batch->own = batch->self != SLAB_NOBODY && hak_load_relaxed(&slab->owner) == batch->self;
    slab_expect(!batch->own || control_state(hak_load_relaxed(&slab->control)) == SLAB_OWNED, slab, SLAB_NOT_OWNED);
    batch->word = first_block / 64;
}

HAK_ALWAYS_INLINE void batch_add(struct batch *batch, uint32_t block) {
    const uint32_t word = block / 64;
    const uint64_t bit = (uint64_t)1 << block % 64;
    if (word != batch->word || (batch->bits & bit) != 0) {
        batch_flush_word(batch);
        batch->word = word;
    }
    batch->bits |= bit;
    batch->bit_count++;
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
    /* Relaxed: a live block keeps its slab's class. Another class means that every block of the slab was
     * free since, this one among them. */
    if (HAK_UNLIKELY(control_class(hak_load_relaxed(&out->slab->control)) != class_index)) {
        *wrong = HAK_MISUSE_DOUBLE_FREE;
        return false;
    }
    if (HAK_UNLIKELY(hak_classes[class_index].chunks > 1)) {
        /* Where it is one, slab_locate found p in the chunk that it was asked for. Relaxed: see slab_of. */
        const unsigned first = slab_chunk(out->slab);
        slab_expect(hak_load_relaxed(&region_of(p)->span_first[first]) == first, out->slab, SLAB_NO_SPAN);
    }
    return true;
}

/* Where p lies. false, and a report, where it is no block of the class. */
HAK_ALWAYS_INLINE bool batch_locate(const struct batch *batch, void *p, struct slab_position *out) {
    enum hak_misuse wrong;
    if (HAK_UNLIKELY(!batch_find(batch->class_index, p, out, &wrong))) {
        batch_report(wrong, p, batch->class_index, batch->is_late);
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

uint32_t hak_slab_free_blocks(uint32_t self, unsigned class_index, void *const *blocks, uint32_t count) {
    const struct hak_class *constants = &hak_classes[class_index];
    const uintptr_t slab_bytes = (uintptr_t)constants->blocks * constants->block_size;
    struct batch batch = {.self = self, .class_index = class_index, .is_late = count > 1};
    /* The last one; before the first no address lies in a slab. */
    struct slab_position at = {.base = UINTPTR_MAX};
    for (uint32_t i = 0; i < count; i++) {
        const uintptr_t offset = (uintptr_t)blocks[i] - at.base;
        const uint32_t place = (uint32_t)((uint64_t)(uint32_t)offset * constants->reciprocal >> HAK_RECIPROCAL_SHIFT);
        if (offset < slab_bytes && offset == (uintptr_t)place * constants->block_size) {
            /* A block of the slab before needs no look at its class: that cannot change while frees are not counted. */
            at.block = slab_block_at(place, at.turn, constants);
        } else {
            struct slab_position next;
            if (!batch_locate(&batch, blocks[i], &next)) {
                continue;
            }
            if (next.slab != batch.slab) {
                batch_end_slab(&batch);
                batch_begin_slab(&batch, next.slab, next.block);
            }
            at = next;
        }
        batch_add(&batch, at.block);
    }
    batch_end_slab(&batch);
    return batch.remote;
}
