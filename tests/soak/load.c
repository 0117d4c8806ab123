/* SPDX-License-Identifier: MIT */
/* See load.h. A slot's lock guards all of it. */
#include "tests/soak/load.h"

#include <pthread.h>
#include <string.h>

#include "hakmem/base/random.h"
#include "hakmem/hakmem.h"
#include "tests/harness/pattern.h"

#define SLOTS 16384u
#define WHOLE_MAX 4096u /* larger blocks are marked on each page only */
#define CHILD_BLOCKS 300u

static struct slot {
    pthread_mutex_t lock;
    void *p; /* NULL: none */
    size_t size;
    uint64_t seed; /* of its content */
} slots[SLOTS];

/* Each pool, all at once, and an end at which hardly anything is left. */
const struct load_phase load_phases[LOAD_PHASES] = {
    {"tiny", SLOTS, 90, 0, 1024, 1},
    {"l2", 3000, 80, 1025, 32768, 1},
    {"l2.5", 150, 70, 32769, (size_t)1 << 20, 8},
    {"huge", 24, 60, ((size_t)1 << 20) + 1, (size_t)3 << 20, 16},
    {"all pools", 2000, 50, 0, (size_t)2 << 20, 4},
    {"tiny again", SLOTS, 60, 0, 256, 1},
    {"shrinking", SLOTS, 5, 0, 20000, 1},
};

void load_begin(void) {
    for (unsigned i = 0; i < SLOTS; i++) pthread_mutex_init(&slots[i].lock, NULL);
}

static void fill(const struct slot *slot) {
    (slot->size <= WHOLE_MAX ? pattern_fill : pattern_mark_pages)(slot->p, slot->size, slot->seed);
}

static bool holds(const struct slot *slot, const void *p, size_t size) {
    return (slot->size <= WHOLE_MAX ? pattern_holds : pattern_pages_hold)(p, size, slot->seed);
}

/* Most are small, whatever the range is: as many of each number of bits. */
static size_t size_of(const struct load_phase *phase, uint64_t random) {
    const size_t range = phase->most - phase->least + 1;
    const unsigned bits = 64 - (unsigned)__builtin_clzll(range);
    const uint64_t below = (uint64_t)1 << (1 + random % bits);
    return phase->least + (size_t)((random >> 8) % (below < range ? below : range));
}

/* The result is the number of damaged blocks, here and below. A system without memory is no damage: the slot stays empty. */
static unsigned slot_fill(struct slot *slot, const struct load_phase *phase, uint64_t random) {
    slot->size = size_of(phase, random);
    slot->seed = random | 1;
    unsigned damaged = 0;
    switch (random >> 60) {
    case 0:
        slot->p = hak_calloc(1, slot->size);
        damaged = slot->p != NULL && !pattern_all_zero(slot->p, slot->size);
        break;
    case 1: slot->p = hak_aligned_alloc((size_t)1 << (random >> 32) % 13, slot->size); break;
    default: slot->p = hak_alloc(slot->size); break;
    }
    if (slot->p != NULL) fill(slot);
    return damaged;
}

static unsigned slot_empty(struct slot *slot) {
    const unsigned damaged = !holds(slot, slot->p, slot->size);
    hak_free(slot->p);
    slot->p = NULL;
    return damaged;
}

static unsigned slot_resize(struct slot *slot, const struct load_phase *phase, uint64_t random) {
    const size_t size = size_of(phase, random) + 1;
    void *p = hak_realloc(slot->p, size);
    if (p == NULL) return 0;
    const unsigned damaged = !holds(slot, p, slot->size < size ? slot->size : size);
    slot->p = p;
    slot->size = size;
    slot->seed = random | 1;
    fill(slot);
    return damaged;
}

unsigned load_work(const struct load_phase *phase, uint64_t seed, unsigned long operations) {
    unsigned damaged = 0;
    uint64_t random = random_mix(seed);
    for (operations = operations / phase->rarer + 1; operations > 0; operations--) {
        const uint64_t value = random_xorshift64(&random);
        /* The phase before may have filled others. */
        struct slot *slot = &slots[value % 64 == 0 ? (value >> 20) % SLOTS : (value >> 20) % phase->slots];
        if (pthread_mutex_trylock(&slot->lock) != 0) continue;
        const bool wanted = (value >> 40) % 100 < phase->occupied && slot < slots + phase->slots;
        const uint64_t detail = random_xorshift64(&random);
        if (slot->p == NULL) {
            if (wanted) damaged += slot_fill(slot, phase, detail);
        } else if (!wanted || value % 4 != 0) {
            damaged += slot_empty(slot);
            if (wanted) damaged += slot_fill(slot, phase, detail);
        } else {
            damaged += slot_resize(slot, phase, detail);
        }
        pthread_mutex_unlock(&slot->lock);
        if (value % 8192 == 1) hak_thread_flush();
        if (value % 65536 == 2) hak_trim();
    }
    return damaged;
}

unsigned load_in_child(uint64_t seed) {
    static struct slot own[CHILD_BLOCKS];
    unsigned damaged = 0;
    uint64_t random = random_mix(seed);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < CHILD_BLOCKS; i++) {
            damaged += slot_fill(&own[i], &load_phases[i % (LOAD_PHASES - 2)], random_xorshift64(&random));
            /* A child has the memory that its parent had. */
            damaged += own[i].p == NULL;
        }
        for (unsigned i = 0; i < CHILD_BLOCKS; i++)
            if (own[i].p != NULL) damaged += slot_empty(&own[i]);
        hak_trim();
    }
    return damaged;
}

uint64_t load_hash(const void *start) { return random_mix((uintptr_t)start); }

struct load_sum load_sum(void) {
    struct load_sum sum = {0};
    for (unsigned i = 0; i < SLOTS; i++) {
        const struct slot *slot = &slots[i];
        if (slot->p == NULL) continue;
        sum.blocks++;
        sum.bytes += slot->size;
        sum.starts += load_hash(slot->p);
        sum.damaged += !holds(slot, slot->p, slot->size);
    }
    return sum;
}

void load_thin(unsigned keep_one_in) {
    for (unsigned i = 0; i < SLOTS; i++) {
        if (slots[i].p == NULL || (keep_one_in != 0 && i % keep_one_in == 0)) continue;
        hak_free(slots[i].p);
        slots[i].p = NULL;
    }
}
