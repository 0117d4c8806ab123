/* SPDX-License-Identifier: MIT */
/* Which event made the block at an address: hash tables in pages of their own, open addressing with linear probing.
 *
 * An address is in the table from after its allocation to before its release, so no two threads ever ask for the same
 * one at the same time unless the program frees it twice; shards only keep threads apart. */
#include "bench/trace/recorder.h"

#include <errno.h>
#include <sys/mman.h>

/* A page of slots at first. */
#define CAPACITY_FIRST 256

/* Fibonacci hashing: the upper bits of the product depend on all bits of the address. */
static uint64_t hash(uintptr_t address) { return (address >> 3) * UINT64_C(0x9e3779b97f4a7c15); }

static struct recorder_shard *shard_of(uintptr_t address) {
    return &recorder_state->shards[hash(address) >> 58]; /* RECORDER_SHARDS is 2^6 */
}
HAK_STATIC_ASSERT(RECORDER_SHARDS == 64, "shard_of takes the top six bits");

static size_t home(const struct recorder_shard *shard, uintptr_t address) {
    return (size_t)(hash(address) >> 20) & (shard->capacity - 1);
}

/* The slot with `address`, or the free one where it belongs. pre: one slot is free. */
static size_t find(const struct recorder_shard *shard, uintptr_t address) {
    size_t i = home(shard, address);
    while (shard->slots[i].address != 0 && shard->slots[i].address != address) {
        i = (i + 1) & (shard->capacity - 1);
    }
    return i;
}

static bool grow(struct recorder_shard *shard) {
    struct recorder_shard larger = {.capacity = shard->capacity == 0 ? CAPACITY_FIRST : 2 * shard->capacity};
    larger.slots = system_pages(larger.capacity * sizeof larger.slots[0], false);
    if (larger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < shard->capacity; i++) {
        if (shard->slots[i].address != 0) {
            larger.slots[find(&larger, shard->slots[i].address)] = shard->slots[i];
        }
    }
    if (shard->slots != NULL) {
        munmap(shard->slots, shard->capacity * sizeof shard->slots[0]);
    }
    shard->slots = larger.slots;
    shard->capacity = larger.capacity;
    return true;
}

/* Frees slot i. What lies behind it up to the next free slot moves up unless it would pass its home. */
static void remove_slot(struct recorder_shard *shard, size_t i) {
    size_t mask = shard->capacity - 1, hole = i;
    for (size_t next = (i + 1) & mask; shard->slots[next].address != 0; next = (next + 1) & mask) {
        size_t distance = (next - home(shard, shard->slots[next].address)) & mask;
        if (distance >= ((next - hole) & mask)) {
            shard->slots[hole] = shard->slots[next];
            hole = next;
        }
    }
    shard->slots[hole].address = 0;
    shard->used--;
}

uint64_t blocks_put(const void *p, uint64_t number) {
    uintptr_t address = (uintptr_t)p;
    struct recorder_shard *shard = shard_of(address);
    uint64_t before = 0;
    if (!recorder_lock_take(&shard->lock, &recorder_self)) {
        return 0;
    }
    if (shard->used >= shard->capacity / 4 * 3 && !grow(shard)) {
        recorder_lock_give(&shard->lock);
        recorder_give_up("no memory to remember a block", "", ENOMEM);
        return 0;
    }
    struct recorder_block *slot = &shard->slots[find(shard, address)];
    if (slot->address != 0) {
        before = slot->number;
    } else {
        shard->used++;
    }
    *slot = (struct recorder_block){address, number};
    recorder_lock_give(&shard->lock);
    return before;
}

uint64_t blocks_take(const void *p) {
    uintptr_t address = (uintptr_t)p;
    struct recorder_shard *shard = shard_of(address);
    uint64_t number = 0;
    if (!recorder_lock_take(&shard->lock, &recorder_self)) {
        return 0;
    }
    if (shard->capacity != 0) {
        size_t i = find(shard, address);
        if (shard->slots[i].address != 0) {
            number = shard->slots[i].number;
            remove_slot(shard, i);
        }
    }
    recorder_lock_give(&shard->lock);
    return number;
}
