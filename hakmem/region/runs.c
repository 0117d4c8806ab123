/* SPDX-License-Identifier: MIT */
/* See runs.h. The first regions of node 0 have room in static memory; for more, all is copied to a mapping eight times as large. */
#include "hakmem/region/runs.h"

#include "hakmem/base/bits.h"
#include "hakmem/guard/metadata.h"
#include "hakmem/misuse/misuse.h"
#include "hakmem/os/os.h"
#include "hakmem/region/node.h"
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
struct runs {
    unsigned count, capacity; /* regions */
    size_t bytes;             /* of the mapping; 0: static memory, or none */
    struct region **regions;
    uint16_t *levels[RUNS_KINDS][RUNS_LEVELS];
};

static struct runs runs_of_nodes[NODES_MAX] = {
    [0] =
        {
            .capacity = RUNS_FIRST,
            .regions = runs_first_regions,
            .levels =
                {
                    [RUNS_FREE] = {runs_first_words[0][0], runs_first_words[0][1], runs_first_words[0][2],
                                   runs_first_words[0][3]},
                    [RUNS_DIRTY] = {runs_first_words[1][0], runs_first_words[1][1], runs_first_words[1][2],
                                    runs_first_words[1][3]},
                },
        },
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

static void runs_store(struct runs *runs, enum region_runs kind, unsigned at, uint16_t run) {
    uint16_t *below = runs->levels[kind][0];
    below[at] = run;
    for (unsigned level = 1; level < RUNS_LEVELS; level++) {
        uint16_t *const words = runs->levels[kind][level];
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
static void runs_lay_out(struct runs *runs, unsigned capacity, uint16_t *words) {
    for (unsigned kind = 0; kind < RUNS_KINDS; kind++) {
        for (unsigned level = 0; level < RUNS_LEVELS; level++) {
            runs->levels[kind][level] = words;
            words += runs_level_words(capacity, level);
        }
    }
    runs->capacity = capacity;
}

int hak_runs_reserve(unsigned node) {
    struct runs *const runs = &runs_of_nodes[node];
    if (runs->count < runs->capacity) {
        return 0;
    }
    const struct runs before = *runs;
    const unsigned capacity = before.capacity == 0 ? RUNS_FIRST : before.capacity * RUNS_GROWTH;
    const size_t regions_bytes = capacity * sizeof(struct region *);
    const size_t bytes =
        bits_round_up(regions_bytes + RUNS_KINDS * runs_tree_words(capacity) * sizeof(uint16_t), hak_os_page_size());
    void *memory;
    const int error =
        HAK_GUARD_FULL ? hak_metadata_map(bytes, &memory) : hak_os_map(bytes, hak_os_page_size(), &memory);
    if (error != 0) {
        return error;
    }
    runs_lay_out(runs, capacity, (uint16_t *)((char *)memory + regions_bytes));
    runs->bytes = bytes;
    runs->regions = memory;
    for (unsigned i = 0; i < before.count; i++) {
        runs->regions[i] = before.regions[i];
        runs_store(runs, RUNS_FREE, i, before.levels[RUNS_FREE][0][i]);
        runs_store(runs, RUNS_DIRTY, i, before.levels[RUNS_DIRTY][0][i]);
    }
    if (before.bytes != 0) {
        (void)(HAK_GUARD_FULL ? hak_metadata_unmap(before.regions, before.bytes)
                              : hak_os_unmap(before.regions, before.bytes));
    }
    return 0;
}

void hak_runs_add(struct region *region) {
    struct runs *const runs = &runs_of_nodes[region->node];
    region->number = runs->count;
    runs->regions[runs->count++] = region;
}

struct region *hak_runs_find(enum region_runs kind, unsigned node, unsigned from, unsigned run) {
    const struct runs *const runs = &runs_of_nodes[node];
    unsigned level = 0, at = from;
    if (from < runs->count && runs->levels[kind][0][from] >= run) {
        return runs->regions[from];
    }
    if (runs->count == 0) {
        return NULL;
    }
    while (level < RUNS_LEVELS - 1 && at % RUNS_FAN == 0) {
        level++;
        at /= RUNS_FAN;
    }
    while (at < runs_level_words(runs->capacity, level)) {
        const uint16_t *const words = runs->levels[kind][level];
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
            return runs->regions[at];
        } else {
            level--;
            at *= RUNS_FAN;
        }
    }
    return NULL;
}

/* The runs of the region's node, where it has the number that it says. A write of the program that went astray may have changed
 * both. */
static struct runs *runs_of(const struct region *region) {
    struct runs *const runs = &runs_of_nodes[region->node % NODES_MAX];
    if (HAK_UNLIKELY(region->number >= runs->count || runs->regions[region->number] != region)) {
        hak_report_corruption("region", region, "it has another region's number");
    }
    return runs;
}

void hak_runs_raise(enum region_runs kind, const struct region *region, unsigned run) {
    struct runs *const runs = runs_of(region);
    if (runs->levels[kind][0][region->number] < run) {
        runs_store(runs, kind, region->number, (uint16_t)run);
    }
}

void hak_runs_set(enum region_runs kind, const struct region *region, unsigned run) {
    runs_store(runs_of(region), kind, region->number, (uint16_t)run);
}
