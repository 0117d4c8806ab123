/* SPDX-License-Identifier: MIT */
/* How an attack ends, and the blocks that the attacked program lives on. */
#include "tests/attack/attack.h"

#define BLOCKS_MAX 262144
#define STAMP_BYTES 64
#define SPRAY_BYTES ((size_t)8 << 20)

struct block {
    char *start;
    size_t size;
};

/* Static, so that the program's own bookkeeping is no part of the heap. */
static struct block blocks[BLOCKS_MAX], sorted[BLOCKS_MAX];
static unsigned block_count;
char attack_target[ATTACK_TARGET_BYTES] __attribute__((aligned(65536)));

/* Not stdio, whose buffer would lie in the heap. */
static void say(const char *text) {
    if (write(STDOUT_FILENO, text, strlen(text)) < 0) _exit(4);
}

void attack_begin(void) { say("attack\n"); }

void attack_over(void) { say("over\n"); }

void attack_gained(const char *what) {
    say("gained: ");
    say(what);
    say("\n");
    _exit(0);
}

void attack_absent(void) { _exit(3); }

void attack_end(bool gained, const char *what) {
    if (gained) attack_gained(what);
    exit(1);
}

void attack_require(bool right) {
    if (!right) _exit(4);
}

size_t attack_size(char **argv) {
    attack_require(argv[1] != NULL);
    return strtoul(argv[1], NULL, 10);
}

static size_t stamp_bytes(size_t size) { return size < STAMP_BYTES ? size : STAMP_BYTES; }

char *attack_own(char *p, size_t size) {
    attack_require(p != NULL && block_count < BLOCKS_MAX);
    const size_t stamp = stamp_bytes(size);
    memset(p, ATTACK_OWNED, stamp);
    memset(p + size - stamp, ATTACK_OWNED, stamp);
    blocks[block_count++] = (struct block){p, size};
    return p;
}

char *attack_malloc(size_t size) { return attack_own(malloc(size), size); }

void attack_forget(const char *p) {
    for (unsigned i = block_count; i-- > 0;) {
        if (blocks[i].start == p) {
            blocks[i] = blocks[--block_count];
            return;
        }
    }
    attack_require(false);
}

void attack_free(char *p) {
    attack_forget(p);
    free(p);
}

void attack_free_oldest(unsigned count) {
    static char *oldest[1024];
    if (count > block_count / 2) count = block_count / 2;
    for (unsigned i = 0; i < count; i++) oldest[i] = blocks[i].start;
    for (unsigned i = 0; i < count; i++) attack_free(oldest[i]);
}

static unsigned clipped(size_t size, unsigned count) {
    const size_t most = SPRAY_BYTES / (size + 16) < 8 ? 8 : SPRAY_BYTES / (size + 16);
    return count < most ? count : (unsigned)most;
}

void attack_spray(size_t size, unsigned count) {
    for (unsigned i = clipped(size, count); i-- > 0;) attack_malloc(size);
}

static bool is_owned(const char *p, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (p[i] != ATTACK_OWNED) return false;
    }
    return true;
}

char *attack_spoiled(void) {
    for (unsigned i = 0; i < block_count; i++) {
        char *const p = blocks[i].start;
        const size_t stamp = stamp_bytes(blocks[i].size);
        if (!is_owned(p, stamp) || !is_owned(p + blocks[i].size - stamp, stamp)) return p;
    }
    return NULL;
}

/* The blocks by address, in `sorted`. Not qsort, which allocates. */
static void sort(void) {
    static struct block merged[BLOCKS_MAX];
    memcpy(sorted, blocks, block_count * sizeof blocks[0]);
    for (unsigned width = 1; width < block_count; width *= 2) {
        for (unsigned from = 0; from < block_count; from += 2 * width) {
            const unsigned middle = from + width < block_count ? from + width : block_count;
            const unsigned end = middle + width < block_count ? middle + width : block_count;
            for (unsigned left = from, right = middle, i = from; i < end; i++) {
                const bool is_left = left < middle && (right == end || sorted[left].start <= sorted[right].start);
                merged[i] = sorted[is_left ? left++ : right++];
            }
        }
        memcpy(sorted, merged, block_count * sizeof sorted[0]);
    }
}

bool attack_has_two_owners(void) {
    sort();
    for (unsigned i = 1; i < block_count; i++) {
        if (sorted[i - 1].start + sorted[i - 1].size > sorted[i].start) return true;
    }
    return false;
}

bool attack_spray_overlaps(size_t size, unsigned count) {
    count = clipped(size, count);
    for (unsigned made = 0, next = 2 < count ? 2 : count; made < count;
         made = next, next = next * 4 < count ? next * 4 : count) {
        attack_spray(size, next - made);
        if (attack_has_two_owners()) return true;
    }
    return false;
}

static bool ends_by(unsigned place, uintptr_t address) {
    return (uintptr_t)sorted[place].start + sorted[place].size <= address;
}

/* The place of the first of the sorted blocks that does not end by `address`. */
static unsigned first_behind(uintptr_t address) {
    unsigned low = 0, high = block_count;
    while (low < high) {
        const unsigned middle = (low + high) / 2;
        if (ends_by(middle, address)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool attack_is_owned(uintptr_t address) {
    static unsigned sorted_count, place;
    if (sorted_count != block_count) {
        sort();
        sorted_count = block_count;
        place = first_behind(address);
    }
    /* Who asks goes from word to word: the place is mostly that of the last one. */
    const bool is_behind_last = place == 0 || ends_by(place - 1, address);
    if (!is_behind_last || (place < block_count && ends_by(place, address))) place = first_behind(address);
    return place < block_count && (uintptr_t)sorted[place].start <= address;
}

struct attack_pair attack_neighbours(size_t size, bool highest) {
    char *const probe = malloc(size);
    const size_t usable = malloc_usable_size(probe);
    attack_own(probe, usable);
    attack_spray(usable, ATTACK_MANY);
    sort();
    struct attack_pair pair = {NULL, NULL, usable};
    size_t nearest = SIZE_MAX;
    for (unsigned i = 1; i < block_count; i++) {
        const size_t distance = (size_t)(sorted[i].start - sorted[i - 1].start);
        if (distance < nearest || (highest && distance == nearest)) {
            nearest = distance;
            pair.low = sorted[i - 1].start;
            pair.high = sorted[i].start;
        }
    }
    return pair;
}

bool attack_malloc_returns_target(size_t size) {
    for (unsigned i = clipped(size, 5000); i-- > 0;) {
        const uintptr_t p = (uintptr_t)malloc(size);
        if (p - (uintptr_t)attack_target < ATTACK_TARGET_BYTES) return true;
    }
    return false;
}

bool attack_target_is_written(void) {
    for (unsigned i = 0; i < ATTACK_TARGET_BYTES; i++) {
        if (attack_target[i] != 0) return true;
    }
    return false;
}
