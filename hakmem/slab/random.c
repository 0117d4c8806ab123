/* SPDX-License-Identifier: MIT */
/* See random.h. */
#include "hakmem/slab/random.h"

#include "hakmem/base/bits.h"
#include "hakmem/guard/random.h"
#include "hakmem/slab/check.h"
#include "hakmem/slab/list.h"

/* So many slabs of a list are candidates: the lock is held meanwhile. */
#define PICK_AMONG 8

/* What one block takes of a random word: 16 bits choose among the bitmap's words, of which there are some hundred at
 * most, so that none is a 500th likelier than another; others choose the bit. */
#define CHOICE_BITS 32
#define CHOICE_WORD_BITS 16

/* A word with a free bit, at or behind the one that the high bits of the choice say. pre: there is one */
static uint32_t random_word(const struct slab *slab, unsigned class_index, uint32_t choice) {
    const uint32_t words = hak_classes[class_index].bitmap_words;
    const uint32_t first = (choice >> CHOICE_WORD_BITS) * words >> (CHOICE_BITS - CHOICE_WORD_BITS);
    const uint64_t *const free_bits = slab_free_bits(slab, class_index);
    uint32_t word = first;
    /* Relaxed, and in the store below: only the owner writes; others look for double frees. */
    while (hak_load_relaxed(&free_bits[word]) == 0) {
        word = word + 1 == words ? 0 : word + 1;
        slab_expect(word != first, slab, SLAB_RUNS_OUT);
    }
    return word;
}

/* A set bit, at or behind the one that the low bits say. pre: bits != 0 */
static unsigned random_bit(uint64_t bits, uint32_t choice) {
    const uint64_t behind = bits & ~bits_low_mask(choice % 64);
    return bits_lowest(behind != 0 ? behind : bits);
}

uint32_t hak_slab_take_random(struct slab *slab, unsigned class_index, void **slots, uint32_t wanted, bool *zeroed) {
    const struct hak_class *constants = &hak_classes[class_index];
    uint64_t *const free_bits = slab_free_bits(slab, class_index);
    const uintptr_t base = slab_base(slab);
    const uint32_t count = wanted < slab->free_count ? wanted : slab->free_count;
    const uint32_t fresh_from = slab->fresh_from;
    *zeroed = slab->zeroed;
    uint64_t random = 0;
    for (uint32_t i = 0; i < count; i++) {
        random = i % 2 == 0 ? guard_random_bits() : random >> CHOICE_BITS;
        const uint32_t word = random_word(slab, class_index, (uint32_t)random);
        const uint64_t bits = hak_load_relaxed(&free_bits[word]);
        const unsigned bit = random_bit(bits, (uint32_t)random);
        const uint32_t block = word * 64 + bit;
        hak_store_relaxed(&free_bits[word], bits & ~((uint64_t)1 << bit));
        void *const p = (void *)slab_block_address(base, block, constants);
        slab_expect_dead(slab, constants, block, block < fresh_from ? shadow_class(p) : 0);
        /* Relaxed: slots of a magazine, into which hak_walk looks. */
        hak_store_relaxed(&slots[i], p);
        *zeroed &= block >= fresh_from;
        if (block >= slab->fresh_from) {
            slab->fresh_from = block + 1;
        }
    }
    /* scan_word stays: no word before it has a free bit now that had none before. */
    slab->free_count -= count;
    return count;
}

struct slab *hak_slab_pick_random(struct slab *first) {
    for (uint32_t steps = guard_random_below(PICK_AMONG); steps > 0; steps--) {
        struct slab *next = hak_list_next(first);
        if (next == NULL) {
            break;
        }
        first = next;
    }
    return first;
}
