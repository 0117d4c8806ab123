/* Blocks going back to their slabs, a whole word at a time; see slab.h.
 *
 * Called by the magazine layer with the oldest half of a returned magazine, by any thread. Blocks of one
 * slab that follow each other in the magazine cost one write a word, and one atomic count a slab. */
#include "hakmem/base/assert.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/report.h"
#include "hakmem/slab/control.h"
#include "hakmem/slab/partial.h"
#include "hakmem/slab/slab.h"

struct batch {
    uint32_t self;        /* number of the freeing thread */
    unsigned class_index;
    uint32_t remote;      /* blocks that went to slabs of others so far */
    struct slab *slab;    /* where the blocks below belong; NULL: nothing gathered */
    bool own;             /* self owns it */
    uint32_t uncounted;   /* remote bits that are set and not yet added to the slab's count */
    uint32_t word;        /* of the bitmap */
    uint64_t bits;        /* gathered for that word */
};

static void batch_report_double(const struct batch *batch, uint64_t bits) {
    const uint32_t block_size = hak_classes[batch->class_index].block_size;
    for (; bits != 0; bits &= bits - 1) {
        uintptr_t block = (uintptr_t)batch->word * 64 + bits_lowest(bits);
        report_misuse(HAK_MISUSE_DOUBLE_FREE, "free", (void *)(batch->slab->base + block * block_size), block_size);
    }
}

static void batch_flush_own_word(struct batch *batch) {
    struct slab *slab = batch->slab;
    /* Relaxed: only the owner writes. The remote word is looked at for double frees only. */
    uint64_t before = hak_load_relaxed(&slab->free_bits[batch->word]);
    uint64_t already = batch->bits & (before | hak_load_relaxed(&slab->remote_bits[batch->word]));
    if (HAK_UNLIKELY(already != 0)) {
        batch_report_double(batch, already);
    }
    uint64_t freed = batch->bits & ~already;
    hak_store_relaxed(&slab->free_bits[batch->word], before | freed);
    slab->free_count += bits_count(freed);
    if (batch->word < slab->scan_word) {
        slab->scan_word = batch->word;
    }
}

static void batch_flush_remote_word(struct batch *batch) {
    struct slab *slab = batch->slab;
    /* Relaxed: while a block is live its own bit is 0 here, and was before the block was handed out. */
    uint64_t already = batch->bits & hak_load_relaxed(&slab->free_bits[batch->word]);
    uint64_t bits = batch->bits & ~already;
    /* Release: what this thread wrote to the blocks is before the drain that takes the bits. */
    uint64_t before = hak_fetch_or_release(&slab->remote_bits[batch->word], bits);
    already |= bits & before;
    if (HAK_UNLIKELY(already != 0)) {
        batch_report_double(batch, already);
    }
    batch->uncounted += bits_count(bits & ~before);
}

static void batch_flush_word(struct batch *batch) {
    if (batch->own) {
        batch_flush_own_word(batch);
    } else {
        batch_flush_remote_word(batch);
    }
    batch->bits = 0;
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
    if (control_level(count_before, blocks) != control_level(count_before + count, blocks)) {
        partial_relist(batch->slab, batch->class_index);
    }
}

static void batch_begin_slab(struct batch *batch, struct slab *slab) {
    batch->slab = slab;
    /* Relaxed: it equals `self` only where this thread stored it. */
    batch->own = batch->self != SLAB_NOBODY && hak_load_relaxed(&slab->owner) == batch->self;
}

uint32_t slab_free_blocks(uint32_t self, unsigned class_index, void *const *blocks, uint32_t count) {
    const uint32_t block_size = hak_classes[class_index].block_size;
    struct batch batch = {.self = self, .class_index = class_index};
    for (uint32_t i = 0; i < count; i++) {
        struct slab_position position;
        /* The page map's index is masked: only the address itself shows bits above those of any block. */
        if (HAK_UNLIKELY((uintptr_t)blocks[i] >> HAK_ADDRESS_BITS != 0)) {
            report_misuse(HAK_MISUSE_FOREIGN, "free", blocks[i], 0);
            continue;
        }
        if (HAK_UNLIKELY(!slab_locate(blocks[i], class_index, &position) || position.offset != 0)) {
            report_misuse(HAK_MISUSE_INTERIOR, "free", blocks[i], block_size);
            continue;
        }
        /* Relaxed: a live block keeps its slab's class. Another class means that every block of the slab was
         * free since, this one among them. */
        if (HAK_UNLIKELY(control_class(hak_load_relaxed(&position.slab->control)) != class_index)) {
            report_misuse(HAK_MISUSE_DOUBLE_FREE, "free", blocks[i], block_size);
            continue;
        }
        const uint32_t word = position.block / 64;
        const uint64_t bit = (uint64_t)1 << position.block % 64;
        if (position.slab != batch.slab) {
            batch_end_slab(&batch);
            batch_begin_slab(&batch, position.slab);
        } else if (word != batch.word || (batch.bits & bit) != 0) {
            batch_flush_word(&batch);
        }
        batch.word = word;
        batch.bits |= bit;
    }
    batch_end_slab(&batch);
    return batch.remote;
}
