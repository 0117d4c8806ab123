/* SPDX-License-Identifier: MIT */
/* The life of a slab: create, claim, take blocks, drain, detach. slab.h has the states and invariants. */
#include "hakmem/slab/slab.h"

#include "hakmem/base/assert.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/probe.h"
#include "hakmem/guard/pages.h"
#include "hakmem/os/os.h"
#include "hakmem/region/bitmap.h"
#include "hakmem/region/kept.h"
#include "hakmem/slab/check.h"
#include "hakmem/slab/control.h"
#include "hakmem/slab/partial.h"
#include "hakmem/slab/random.h"

/* Full guard builds: ENOMEM where the blocks cannot be made accessible; the span is given back then. */
static int slab_span_protect(unsigned class_index, const struct span *span) {
    const struct hak_class *constants = &hak_classes[class_index];
    const int error = hak_pages_protect_slab(region_chunk_address(span->region, span->first), constants->chunks,
                                             (size_t)constants->blocks * constants->block_size);
    if (error != 0) {
        hak_region_span_free(span->region, span->first, constants->chunks);
    }
    return error;
}

/* The span of a new slab. Kept mappings of large blocks are given up before memory counts as exhausted. */
static int slab_span_alloc(unsigned class_index, struct span *span) {
    unsigned chunks = hak_classes[class_index].chunks;
    int error = hak_region_span_alloc(chunks, class_index, span);
    if (error != 0 && hak_kept_purge(UINT64_MAX) > 0) {
        error = hak_region_span_alloc(chunks, class_index, span);
    }
    if (HAK_GUARD_FULL && guard_has(HAK_FEATURE_PAGES) && error == 0) {
        error = slab_span_protect(class_index, span);
    }
    return error;
}

struct slab *hak_slab_create(unsigned class_index, uint32_t owner) {
    const struct hak_class *constants = &hak_classes[class_index];
    struct span span;
    if (slab_span_alloc(class_index, &span) != 0) {
        return NULL;
    }
    struct slab *slab = (struct slab *)&span.region->descriptors[span.first];
    uint64_t *const free_bits = slab_free_bits(slab, class_index);
    slab_expect(hak_slab_state_of(slab) == SLAB_EMPTY, slab, "its chunk is free, and the slab is not EMPTY");
    slab->free_count = constants->blocks;
    slab->scan_word = 0;
    slab->purged_free = 0;
    slab->fresh_from = 0;
    slab->zeroed = span.zeroed;
    for (uint32_t word = 0, left = constants->blocks; word < constants->bitmap_words; word++) {
        uint32_t here = left < 64 ? left : 64;
        /* Relaxed, here and below: nobody else knows the slab before a block of it is handed out. */
        hak_store_relaxed(&free_bits[word], bits_low_mask(here));
        left -= here;
    }
    hak_store_relaxed(&slab->owner, owner);
    DISTURB();
    /* Release: pairs with the acquire of a relist that came too late for the slab that was here before. */
    hak_store_release(&slab->control, control_make(SLAB_OWNED, class_index));
    PROBE_3(slab_create, slab_base(slab), class_index, owner);
    return slab;
}

/* pre: the slab is the caller's */
static void slab_expect_counted(const struct slab *slab, unsigned class_index) {
    const uint32_t words = hak_classes[class_index].bitmap_words;
    const uint64_t *const free_bits = slab_free_bits(slab, class_index);
    uint32_t free_count = 0;
    for (uint32_t word = 0; word < words; word++) {
        const uint64_t bits = hak_load_relaxed(&free_bits[word]);
        free_count += bits == 0 ? 0 : bits_count(bits);
    }
    slab_expect(free_count == slab->free_count, slab, "its count of free blocks is not that of its bits");
}

struct slab *hak_slab_claim(unsigned class_index, uint32_t owner) {
    struct slab *slab = hak_partial_claim(class_index);
    DISTURB();
    if (slab != NULL) {
        /* Relaxed: others compare it with their own number only. */
        hak_store_relaxed(&slab->owner, owner);
        slab_expect_counted(slab, class_index);
        hak_slab_drain(slab, class_index);
    }
    return slab;
}

uint32_t hak_slab_take(struct slab *slab, unsigned class_index, void **slots, uint32_t wanted, bool *zeroed) {
    HAK_ASSERT(slab->free_count > 0);
    if (HAK_GUARD_FULL && guard_has(HAK_FEATURE_RANDOM)) {
        return hak_slab_take_random(slab, class_index, slots, wanted, zeroed);
    }
    const struct hak_class *const constants = &hak_classes[class_index];
    uint64_t *const free_bits = slab_free_bits(slab, class_index);
    const uintptr_t base = slab_base(slab);
    const uint32_t turn = slab_turn(base, constants);
    const uint32_t count = wanted < slab->free_count ? wanted : slab->free_count;
    uint32_t word = slab->scan_word;
    void **slot = slots + count;
    uint32_t block = 0;
    unsigned live = 0;
    slab_expect(word < constants->bitmap_words, slab, SLAB_RUNS_OUT);
    while (slot > slots) {
        /* Relaxed, and in the store below: only the owner writes; others look for double frees. */
        uint64_t bits = hak_load_relaxed(&free_bits[word]);
        if (bits == 0) {
            slab_expect(++word < constants->bitmap_words, slab, SLAB_RUNS_OUT);
            continue;
        }
        do {
            block = word * 64 + bits_lowest(bits);
            void *const p = (void *)(base + (uintptr_t)slab_place_of(block, turn, constants) * constants->block_size);
            /* Entries of blocks that were never given out are not looked at: that would make them resident. */
            live |= HAK_GUARD_EXACT && block < slab->fresh_from ? shadow_class(p) : 0;
            /* Relaxed: slots of a magazine, into which hak_walk looks. */
            hak_store_relaxed(--slot, p);
            bits &= bits - 1;
        } while (bits != 0 && slot > slots);
        hak_store_relaxed(&free_bits[word], bits);
    }
    slab_expect_dead(slab, constants, block, live);
    slab->scan_word = word;
    *zeroed = false;
    if (block >= slab->fresh_from) {
        if (block - slab->fresh_from >= count - 1) {
            /* So many were taken from there on, so only fresh ones were free. */
            slab_expect(slab->fresh_from + slab->free_count == constants->blocks, slab, SLAB_NOT_FRESH);
            *zeroed = slab->zeroed;
        }
        slab->fresh_from = block + 1;
    }
    slab->free_count -= count;
    return count;
}

uint32_t hak_slab_drain(struct slab *slab, unsigned class_index) {
    /* Acquire: pairs with the count's additions; what was counted has its bits set. */
    const int64_t counted = control_count(hak_load_acquire(&slab->control));
    if (counted == 0) {
        return 0;
    }
    const uint32_t words = hak_classes[class_index].bitmap_words;
    uint64_t *const free_bits = slab_free_bits(slab, class_index);
    uint64_t *const remote_bits = slab_remote_bits(slab, class_index);
    uint32_t drained = 0, twice = 0;
    for (uint32_t word = 0; word < words; word++) {
        /* Relaxed: only a hint; the exchange decides. */
        if (hak_load_relaxed(&remote_bits[word]) == 0) {
            continue;
        }
        /* Acquire: pairs with the release that set each bit, so that what the freeing thread wrote to the
         * block is before its next use. */
        uint64_t bits = hak_exchange_acquire(&remote_bits[word], (uint64_t)0);
        DISTURB();
        uint64_t before = hak_load_relaxed(&free_bits[word]);
        if (HAK_UNLIKELY((before & bits) != 0)) {
            hak_slab_report_double(slab, class_index, word, before & bits, true);
            twice += bits_count(before & bits);
        }
        /* Relaxed: only the owner writes. */
        hak_store_relaxed(&free_bits[word], before | bits);
        drained += bits_count(bits);
        if (word < slab->scan_word) {
            slab->scan_word = word;
        }
    }
    slab_expect((int64_t)drained >= counted, slab, "more blocks are counted as freed than bits say");
    slab->free_count += drained - twice;
    DISTURB();
    /* Acquire-release: keeps the count's chain unbroken between the threads that add to it. */
    hak_fetch_add_acq_rel(&slab->control, control_delta(SLAB_OWNED, SLAB_OWNED, -(int64_t)drained));
    return drained - twice;
}

void hak_slab_drain_before_fresh(struct slab *slab, unsigned class_index) {
    const struct hak_class *constants = &hak_classes[class_index];
    /* Relaxed: only a hint; the drain loads it again. A drain looks at every word, so each has to bring one block. */
    if (slab->fresh_from < constants->blocks &&
        control_count(hak_load_relaxed(&slab->control)) >= constants->bitmap_words) {
        hak_slab_drain(slab, class_index);
    }
}

void hak_slab_detach(struct slab *slab, unsigned class_index) {
    const int64_t blocks = hak_classes[class_index].blocks;
    const int64_t free_count = slab->free_count;
    /* Relaxed: whoever frees concurrently compares it with its own number, which it is not. */
    hak_store_relaxed(&slab->owner, SLAB_NOBODY);
    DISTURB();
    /* Acquire-release: publishes free_bits and free_count to the next owner, and sees every free that was
     * counted while the slab was OWNED; those that come later see FULL. */
    const uint64_t change = control_delta(SLAB_OWNED, SLAB_FULL, free_count) + control_has_free(slab->free_count);
    uint64_t before = hak_fetch_add_acq_rel(&slab->control, change);
    slab_expect(control_low(before) == control_make(SLAB_OWNED, class_index), slab, SLAB_NOT_OWNED);
    if (control_level(control_count(before) + free_count, blocks) != CONTROL_LEVEL_FULL) {
        hak_partial_relist(slab, class_index);
    }
}

bool hak_slab_release_if_empty(struct slab *slab, unsigned class_index) {
    hak_slab_drain(slab, class_index);
    if (slab->free_count != hak_classes[class_index].blocks) {
        return false;
    }
    hak_slab_detach(slab, class_index);
    return true;
}

/* The whole pages between two places. */
static size_t slab_purge_range(struct slab *slab, const struct hak_class *constants, uint32_t from, uint32_t to,
                               const struct decay_pass *pass) {
    uintptr_t start = slab_base(slab) + (uintptr_t)from * constants->block_size;
    uintptr_t end = slab_base(slab) + (uintptr_t)to * constants->block_size;
    const uintptr_t page = hak_os_page_size();
    start = bits_round_up(start, page);
    end &= ~(page - 1);
    return start < end && hak_region_purge_pages(region_of(slab), (void *)start, end - start, pass) == 0 ? end - start
                                                                                                         : 0;
}

size_t hak_slab_purge_free_pages(struct slab *slab, unsigned class_index, const struct decay_pass *pass) {
    const struct hak_class *constants = &hak_classes[class_index];
    const uint64_t *const free_bits = slab_free_bits(slab, class_index);
    const uint32_t turn = slab_turn(slab_base(slab), constants);
    /* By places, so that what is free on both sides of block 0 is one range: first those of the blocks from `at_start` on,
     * which lie at the slab's start, then those of the blocks before it. */
    const uint32_t at_start = constants->blocks - turn;
    uint32_t from = 0, to = 0; /* free, and not purged yet */
    size_t purged = 0;
    for (unsigned part = 0; part < 2; part++) {
        const uint32_t last = part == 0 ? constants->blocks : at_start;
        uint32_t start = part == 0 ? at_start : 0, end;
        for (; (start = bitmap_next(free_bits, last, start, true)) < last; start = end) {
            end = bitmap_next(free_bits, last, start, false);
            end = end < last ? end : last;
            const uint32_t place = slab_place_of(start, turn, constants);
            if (place != to) {
                purged += slab_purge_range(slab, constants, from, to, pass);
                from = place;
            }
            to = place + end - start;
        }
    }
    return purged + slab_purge_range(slab, constants, from, to, pass);
}

uint32_t hak_slab_count_free(const struct slab *slab, unsigned class_index) {
    const uint32_t words = hak_classes[class_index].bitmap_words;
    const uint64_t *const free_bits = slab_free_bits(slab, class_index);
    const uint64_t *const remote_bits = slab_remote_bits(slab, class_index);
    uint32_t count = 0;
    for (uint32_t word = 0; word < words; word++) {
        /* Relaxed: a snapshot; exact while nobody writes. */
        const uint64_t bits = hak_load_relaxed(&free_bits[word]) | hak_load_relaxed(&remote_bits[word]);
        /* Most words are one of these, and counting bits is a call where the processor need not have an instruction for it. */
        count += bits == 0 || bits == UINT64_MAX ? (uint32_t)(bits & 64) : bits_count(bits);
    }
    return count;
}

enum slab_state hak_slab_state_of(const struct slab *slab) { return control_state(hak_load_acquire(&slab->control)); }

enum slab_state hak_slab_state_and_class(const struct slab *slab, unsigned *class_index) {
    const uint64_t control = hak_load_acquire(&slab->control);
    *class_index = control_class(control);
    slab_expect(*class_index < HAK_CLASS_COUNT, slab, "it is of no class");
    return control_state(control);
}

void hak_slab_check(const struct slab *slab, unsigned class_index) {
    const struct hak_class *constants = &hak_classes[class_index];
    uint32_t free_count = 0;
    for (uint32_t word = 0; word < constants->bitmap_words; word++) {
        uint64_t bits = hak_load_relaxed(&slab_free_bits(slab, class_index)[word]);
        free_count += bits_count(bits);
        HAK_CHECK((bits & hak_load_relaxed(&slab_remote_bits(slab, class_index)[word])) == 0);
        HAK_CHECK(word >= slab->scan_word || bits == 0);
    }
    HAK_CHECK(free_count == slab->free_count);
    HAK_CHECK(slab->free_count <= constants->blocks);
    HAK_CHECK(control_class(hak_load_acquire(&slab->control)) == class_index);
}
