/* SPDX-License-Identifier: MIT */
/* See runs.h. The first regions have room in static memory; for more, all is copied to a mapping eight times as large. */
#include "hakmem/region/runs.h"

#include <string.h>

#include "hakmem/guard/metadata.h"
#include "hakmem/misuse/misuse.h"
#include "hakmem/os/os.h"
#include "hakmem/region/region.h"

#define RUNS_FAN 64u
#define RUNS_GROWTH 8u

/* Levels 0 to 3: a root of 64 words covers 64^4 regions, more than there are addresses for. */
#define RUNS_LEVELS 4u
#define RUNS_FIRST 64u /* regions */

HAK_STATIC_ASSERT((uint64_t)1 << (HAK_ADDRESS_BITS - HAK_REGION_SHIFT) <=
                      (uint64_t)RUNS_FAN * RUNS_FAN * RUNS_FAN * RUNS_FAN,
                  "every region has a number");
HAK_STATIC_ASSERT(HAK_REGION_CHUNKS <= UINT16_MAX, "a run fits a word");

static struct region *runs_first_regions[RUNS_FIRST];
static uint16_t runs_first_words[RUNS_KINDS][RUNS_LEVELS][RUNS_FAN]; /* a group a level */

/* Region lock, all. */
static struct {
    unsigned count, capacity; /* regions */
    size_t bytes;             /* of the mapping; 0: static memory */
    struct region **regions;
    uint16_t *levels[RUNS_KINDS][RUNS_LEVELS];
    size_t level_words[RUNS_LEVELS]; /* whole groups */
} runs = {
    .capacity = RUNS_FIRST,
    .regions = runs_first_regions,
    .levels =
        {
            [RUNS_FREE] = {runs_first_words[0][0], runs_first_words[0][1], runs_first_words[0][2],
                           runs_first_words[0][3]},
            [RUNS_DIRTY] = {runs_first_words[1][0], runs_first_words[1][1], runs_first_words[1][2],
                            runs_first_words[1][3]},
        },
    .level_words = {RUNS_FAN, RUNS_FAN, RUNS_FAN, RUNS_FAN},
};

/* Words of a level of a tree for so many regions: whole groups. */
static size_t runs_level_words(unsigned capacity, unsigned level) {
    const size_t words = (size_t)capacity >> (6 * level);
    return words < RUNS_FAN ? RUNS_FAN : words;
}

static size_t runs_tree_words(unsigned capacity) {
    size_t words = 0;
    for (unsigned level = 0; level < RUNS_LEVELS; level++) {
        words += runs_level_words(capacity, level);
    }
    return words;
}

static uint16_t runs_largest(const uint16_t *group) {
    uint16_t largest = 0;
    for (unsigned i = 0; i < RUNS_FAN; i++) {
        largest = group[i] > largest ? group[i] : largest;
    }
    return largest;
}

static void runs_store(enum region_runs kind, unsigned at, uint16_t run) {
    uint16_t *below = runs.levels[kind][0];
    below[at] = run;
    for (unsigned level = 1; level < RUNS_LEVELS; level++) {
        uint16_t *const words = runs.levels[kind][level];
        const unsigned group = at / RUNS_FAN;
        const uint16_t largest = below[at] >= words[group] ? below[at] : runs_largest(below + (size_t)group * RUNS_FAN);
        if (largest == words[group]) {
            break;
        }
        words[group] = largest;
        below = words;
        at = group;
    }
}

/* The levels of both trees, one behind the other from `words` on. */
static void runs_lay_out(unsigned capacity, uint16_t *words) {
    for (unsigned kind = 0; kind < RUNS_KINDS; kind++) {
        for (unsigned level = 0; level < RUNS_LEVELS; level++) {
            runs.levels[kind][level] = words;
            runs.level_words[level] = runs_level_words(capacity, level);
            words += runs.level_words[level];
        }
    }
    runs.capacity = capacity;
}

int hak_runs_reserve(void) {
    if (runs.count < runs.capacity) {
        return 0;
    }
    const __typeof__(runs) before = runs;
    const unsigned capacity = before.capacity * RUNS_GROWTH;
    const size_t regions_bytes = capacity * sizeof(struct region *);
    const size_t bytes = regions_bytes + RUNS_KINDS * runs_tree_words(capacity) * sizeof(uint16_t);
    void *memory;
    const int error =
        HAK_GUARD_FULL ? hak_metadata_map(bytes, &memory) : hak_os_map(bytes, hak_os_page_size(), &memory);
    if (error != 0) {
        return error;
    }
    runs_lay_out(capacity, (uint16_t *)((char *)memory + regions_bytes));
    runs.bytes = bytes;
    runs.regions = memory;
    memcpy(runs.regions, before.regions, before.count * sizeof(struct region *));
    for (unsigned i = 0; i < before.count; i++) {
        runs_store(RUNS_FREE, i, before.levels[RUNS_FREE][0][i]);
        runs_store(RUNS_DIRTY, i, before.levels[RUNS_DIRTY][0][i]);
    }
    if (before.bytes != 0) {
        (void)(HAK_GUARD_FULL ? hak_metadata_unmap(before.regions, before.bytes)
                              : hak_os_unmap(before.regions, before.bytes));
    }
    return 0;
}

void hak_runs_add(struct region *region) {
    region->number = runs.count;
    runs.regions[runs.count++] = region;
}

struct region *hak_runs_find(enum region_runs kind, unsigned from, unsigned run) {
    unsigned level = 0, at = from;
    if (from < runs.count && runs.levels[kind][0][from] >= run) {
        return runs.regions[from];
    }
    while (level < RUNS_LEVELS - 1 && at % RUNS_FAN == 0) {
        level++;
        at /= RUNS_FAN;
    }
    while (at < runs_level_words(runs.capacity, level)) {
        const uint16_t *const words = runs.levels[kind][level];
        const unsigned end = at / RUNS_FAN * RUNS_FAN + RUNS_FAN;
        while (at < end && words[at] < run) {
            at++;
        }
        if (at == end) {
            if (++level == RUNS_LEVELS) {
                break;
            }
            at = end / RUNS_FAN;
        } else if (level == 0) {
            return runs.regions[at];
        } else {
            level--;
            at *= RUNS_FAN;
        }
    }
    return NULL;
}

/* The region's number, which a write of the program that went astray may have changed. */
static unsigned runs_number(const struct region *region) {
    const unsigned number = region->number;
    if (HAK_UNLIKELY(number >= runs.count || runs.regions[number] != region)) {
        hak_report_corruption("region", region, "it has another region's number");
    }
    return number;
}

void hak_runs_raise(enum region_runs kind, const struct region *region, unsigned run) {
    const unsigned number = runs_number(region);
    if (runs.levels[kind][0][number] < run) {
        runs_store(kind, number, (uint16_t)run);
    }
}

void hak_runs_set(enum region_runs kind, const struct region *region, unsigned run) {
    runs_store(kind, runs_number(region), (uint16_t)run);
}
