/* SPDX-License-Identifier: MIT */
/* hak_walk: every live block of the process.
 *
 * First everything is noted in a mapping of its own: of each slab its place, owner and used blocks, then which of these
 * lie in magazines, then the blocks that lie in no slab. The notes are walked with no lock held. An address is noted by one bit, so no
 * block comes twice, whatever threads do meanwhile.
 *
 * A region's notes are found by its ordinal, so that a block in a magazine costs the same whatever there is of regions. No lock is
 * held but for the spans of one region at a time, at most HAK_REGION_CHUNKS, and for the table of huge blocks. */
#include <errno.h>

#include "hakmem/base/bits.h"
#include "hakmem/base/config.h"
#include "hakmem/guard/zero_size.h"
#include "hakmem/huge/huge.h"
#include "hakmem/magazine/reading.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/magazine/stash.h"
#include "hakmem/observe/read.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/bitmap.h"
#include "hakmem/sample/profile.h"
#include "hakmem/shadow/shadow.h"
#include "hakmem/space/units.h"

struct walk_slab {
    uint32_t owner;
    uint16_t chunks; /* 0: no slab begins at this chunk */
    uint8_t class_index;
    uint64_t live[HAK_BITMAP_WORDS_MAX];
};

struct walk_region {
    struct region *region;                     /* NULL: nothing is noted in it */
    struct walk_slab slabs[HAK_REGION_CHUNKS]; /* by their first chunk */
};

/* A block that lies in no slab: huge, or with guard full of size 0. */
struct walk_lone {
    void *start;
    size_t size;
};

/* Both arrays are sparse mappings: what nothing is noted in costs address space only. */
struct walk {
    struct walk_region *regions; /* by their ordinal, which is one count for all nodes */
    struct walk_lone *lone;
    size_t region_capacity;
    size_t lone_count, lone_capacity;
    bool is_cut; /* there was more than there is room for */
};

/* ---- Noting ---- */

static void walk_note_slab(struct region *region, unsigned first, void *argument) {
    struct walk *walk = argument;
    const struct slab *slab = (const struct slab *)&region->descriptors[first];
    unsigned class_index;
    if (hak_slab_state_and_class(slab, &class_index) == SLAB_EMPTY) {
        return; /* being made, or on its way back to the region */
    }
    if (region->ordinal >= walk->region_capacity) {
        walk->is_cut = true;
        return;
    }
    struct walk_region *in = &walk->regions[region->ordinal];
    in->region = region;
    struct walk_slab *note = &in->slabs[first];
    const struct hak_class *constants = &hak_classes[class_index];
    /* Relaxed, here and below: a snapshot; whether it was of one moment the second look finds (hak_reading_add). */
    note->owner = hak_load_relaxed(&slab->owner);
    note->class_index = (uint8_t)class_index;
    note->chunks = (uint16_t)constants->chunks;
    for (uint32_t word = 0, left = constants->blocks; word < constants->bitmap_words; word++) {
        const uint32_t here = left < 64 ? left : 64;
        const uint64_t free_bits = hak_load_relaxed(&slab_free_bits(slab, class_index)[word]) |
                                   hak_load_relaxed(&slab_remote_bits(slab, class_index)[word]);
        note->live[word] = bits_low_mask(here) & ~free_bits;
        left -= here;
    }
}

/* NULL: nothing is noted there. Any p */
static struct walk_region *walk_find_region(struct walk *walk, const void *p) {
    const size_t ordinal = hak_units_is_region(p) ? region_of(p)->ordinal : walk->region_capacity;
    return ordinal < walk->region_capacity && walk->regions[ordinal].region == region_of(p) ? &walk->regions[ordinal]
                                                                                            : NULL;
}

/* A block in a magazine is free. Found by the notes, not by the region's own tables, which may change. */
static void walk_forget(struct walk *walk, const void *p) {
    struct walk_region *in = walk_find_region(walk, p);
    if (in == NULL) {
        return;
    }
    const unsigned chunk = region_chunk_of(p);
    unsigned first = chunk;
    while (first > REGION_CHUNK_FIRST && in->slabs[first].chunks == 0) {
        first--;
    }
    struct walk_slab *note = &in->slabs[first];
    if (chunk - first >= note->chunks) {
        return;
    }
    const struct hak_class *constants = &hak_classes[note->class_index];
    const uintptr_t base = (uintptr_t)region_chunk_address(in->region, first);
    const uint32_t place = (uint32_t)(((uintptr_t)p - base) / constants->block_size);
    if (place < constants->blocks) {
        const uint32_t block = slab_block_at(place, slab_turn(base, constants), constants);
        note->live[block / 64] &= ~((uint64_t)1 << block % 64);
    }
}

/* The slots below a top. They may change while they are read, which makes the walk inexact and is found out. */
static void walk_forget_magazine(struct walk *walk, void *const *top, unsigned class_index, int unused) {
    const uint32_t level = reading_level(top, class_index, unused);
    for (uint32_t i = 1; i <= level; i++) {
        /* Acquire: pairs with the release stores of hak_sampling_park; a parked block is looked for after its slot. What a push or an
         * exchange stored is there, because the top was loaded with acquire. */
        const void *p = hak_load_acquire(top - i);
        if (p != NULL) {
            walk_forget(walk, p);
        }
    }
}

/* The stash's list may change as well: it is followed no further than a record has magazines. */
static void walk_forget_stash(struct walk *walk, const struct hak_thread *thread, unsigned class_index) {
    /* Relaxed, both: pair with the stores of stash.c; wherever it leads is a magazine of the record's. What is not in order was
     * stored in an exchange, which the second look finds (hak_reading_add). */
    void **storage = hak_load_relaxed(&thread->stashes[class_index].full);
    for (unsigned left = THREAD_SPARES + 2; storage != NULL && left != 0; left--) {
        walk_forget_magazine(walk, stash_full_top(storage), class_index, 0);
        storage = (void **)hak_load_relaxed(storage);
    }
}

/* The block that the thread's loaded magazine has and holds beside its slot. */
static void walk_forget_parked(struct walk *walk, const struct hak_thread *thread, unsigned class_index) {
    /* Acquire: pairs with the release stores of magazine/sampling.c. */
    const void *parked = sampling_was_on() ? hak_load_acquire(&thread->samples[class_index].parked) : NULL;
    if (parked != NULL) {
        walk_forget(walk, parked);
    }
}

static void walk_forget_class(struct walk *walk, struct hak_thread *thread, unsigned class_index) {
    struct reading_magazines magazines;
    if (hak_reading_magazines(thread, class_index, &magazines)) {
        /* Before the slots and behind them: one that is parked meanwhile leaves its slot last, and comes back there first. */
        walk_forget_parked(walk, thread, class_index);
        walk_forget_magazine(walk, magazines.loaded, class_index, magazines.loaded_unused);
        walk_forget_parked(walk, thread, class_index);
        walk_forget_magazine(walk, magazines.returned, class_index, magazines.returned_unused);
        /* Acquire: pairs with the release stores of exchanges. */
        if (hak_load_acquire(&thread->classes[class_index].stashed) != 0) {
            walk_forget_stash(walk, thread, class_index);
        }
    }
}

static void walk_forget_thread(struct walk *walk, struct hak_thread *thread, const struct reading_classes *classes) {
    for (unsigned class_index = 0;
         (class_index = bitmap_next(classes->words, HAK_CLASS_COUNT, class_index + 1, true)) < HAK_CLASS_COUNT;) {
        walk_forget_class(walk, thread, class_index);
    }
}

/* A pass over all records, which takes their moves. `walk`, unless it is NULL, forgets what lies in their magazines. */
static struct hak_reading_moves walk_threads(struct walk *walk) {
    struct hak_reading_moves moves = hak_reading_begin();
    for (struct hak_thread *thread = hak_record_newest(); thread != NULL; thread = thread->older) {
        struct reading_classes classes;
        const bool lives = hak_reading_add(&moves, thread, &classes);
        if (walk != NULL && lives) {
            walk_forget_thread(walk, thread, &classes);
        }
    }
    return moves;
}

/* With guard the shadow knows of each block by itself whether it is live, wherever it lies if not. */
static void walk_keep_shadowed(struct walk_region *in, unsigned first) {
    struct walk_slab *note = &in->slabs[first];
    const struct hak_class *constants = &hak_classes[note->class_index];
    const uintptr_t base = (uintptr_t)region_chunk_address(in->region, first);
    for (unsigned i = bitmap_next(note->live, constants->blocks, 0, true); i < constants->blocks;
         i = bitmap_next(note->live, constants->blocks, i + 1, true)) {
        const void *p = (const void *)slab_block_address(base, i, constants);
        /* A sampled block has no mark: its free takes the slow path. */
        if (shadow_class(p) == 0 && !(sampling_was_on() && hak_profile_class(p) != 0)) {
            note->live[i / 64] &= ~((uint64_t)1 << i % 64);
        }
    }
}

static void walk_keep_live(struct walk *walk) {
    if (!HAK_GUARD_EXACT) {
        (void)walk_threads(walk);
        return;
    }
    for (size_t i = 0; i < walk->region_capacity; i++) {
        for (unsigned first = REGION_CHUNK_FIRST; walk->regions[i].region != NULL && first < HAK_REGION_CHUNKS;
             first++) {
            if (walk->regions[i].slabs[first].chunks != 0) {
                walk_keep_shadowed(&walk->regions[i], first);
            }
        }
    }
}

static void walk_note_lone(void *start, size_t size, void *argument) {
    struct walk *walk = argument;
    if (walk->lone_count == walk->lone_capacity) {
        walk->is_cut = true;
        return;
    }
    walk->lone[walk->lone_count++] = (struct walk_lone){start, size};
}

/* Notes everything. Result: whether it is the state of one moment. */
static bool walk_note(struct walk *walk) {
    struct hak_huge_totals huge, huge_after;
    hak_huge_totals(&huge);
    const struct hak_reading_moves before = walk_threads(NULL);
    hak_region_for_each_span(walk_note_slab, walk);
    walk_keep_live(walk);
    hak_huge_for_each(walk_note_lone, walk);
    if (HAK_GUARD_FULL) {
        hak_zero_size_for_each(walk_note_lone, walk);
    }
    hak_huge_totals(&huge_after);
    const struct hak_reading_moves after = walk_threads(NULL);
    const bool is_quiet = hak_reading_is_quiet(&before, &after) && huge.changes == huge_after.changes;
    return HAK_GUARD_EXACT || is_quiet;
}

/* ---- Walking ---- */

struct walk_visitor {
    hak_walk_visitor visit;
    void *argument;
    uint64_t blocks;
};

static bool walk_pass(struct walk_visitor *visitor, struct hak_walk_block *block) {
    visitor->blocks++;
    block->site = sampling_was_on() ? hak_profile_site_at(block->start) : NULL;
    return visitor->visit(block, visitor->argument);
}

/* The live ones of [from, to). */
static bool walk_slab_part(const struct walk_region *in, unsigned first, unsigned from, unsigned to,
                           struct walk_visitor *visitor) {
    const struct walk_slab *note = &in->slabs[first];
    const struct hak_class *constants = &hak_classes[note->class_index];
    const uintptr_t base = (uintptr_t)region_chunk_address(in->region, first);
    struct hak_walk_block block = {
        .size = constants->block_size,
        .pool = hak_stats_pool_of(note->class_index),
        .class_index = note->class_index,
        .thread = note->owner,
    };
    bool goes_on = true;
    for (unsigned i = bitmap_next(note->live, to, from, true); goes_on && i < to;
         i = bitmap_next(note->live, to, i + 1, true)) {
        block.start = (void *)slab_block_address(base, i, constants);
        goes_on = walk_pass(visitor, &block);
    }
    return goes_on;
}

/* By their addresses: from the block at the slab's start on. */
static bool walk_slab_blocks(const struct walk_region *in, unsigned first, struct walk_visitor *visitor) {
    const struct hak_class *constants = &hak_classes[in->slabs[first].class_index];
    const uint32_t turn = slab_turn((uintptr_t)region_chunk_address(in->region, first), constants);
    const uint32_t at_start = slab_block_at(0, turn, constants);
    return (at_start == 0 || walk_slab_part(in, first, at_start, constants->blocks, visitor)) &&
           walk_slab_part(in, first, 0, at_start == 0 ? constants->blocks : at_start, visitor);
}

static void walk_blocks(const struct walk *walk, struct walk_visitor *visitor) {
    bool goes_on = true;
    for (size_t i = 0; goes_on && i < walk->region_capacity; i++) {
        for (unsigned first = REGION_CHUNK_FIRST;
             goes_on && walk->regions[i].region != NULL && first < HAK_REGION_CHUNKS; first++) {
            if (walk->regions[i].slabs[first].chunks != 0) {
                goes_on = walk_slab_blocks(&walk->regions[i], first, visitor);
            }
        }
    }
    for (size_t i = 0; goes_on && i < walk->lone_count; i++) {
        const bool is_huge = walk->lone[i].size != 0;
        struct hak_walk_block block = {
            .start = walk->lone[i].start,
            .size = walk->lone[i].size,
            .pool = is_huge ? HAK_POOL_HUGE : HAK_POOL_TINY, /* as hak_owner says */
            .class_index = is_huge ? 0 : HAK_TINY_CLASS_FIRST,
        };
        goes_on = walk_pass(visitor, &block);
    }
}

static size_t walk_bytes(size_t count, size_t each) { return bits_round_up(count * each + 1, hak_os_page_size()); }

/* Notes with room for what there is now; 0 or ENOMEM. *again: more came meanwhile than there was room for */
static int walk_once(struct walk_visitor *visitor, bool *exact, bool *again) {
    struct hak_huge_totals huge;
    struct hak_zero_size_totals zero_size = {0};
    hak_huge_totals(&huge);
    if (HAK_GUARD_FULL) {
        hak_zero_size_totals(&zero_size);
    }
    struct walk walk = {
        .region_capacity = hak_region_count_now() + 1,
        .lone_capacity = huge.live_blocks + (zero_size.allocations - zero_size.frees) + 16,
    };
    const size_t region_bytes = walk_bytes(walk.region_capacity, sizeof *walk.regions);
    const size_t lone_bytes = walk_bytes(walk.lone_capacity, sizeof *walk.lone);
    void *memory;
    int error = hak_os_map(region_bytes + lone_bytes, hak_os_page_size(), &memory);
    if (error != 0) {
        return error;
    }
    walk.regions = memory;
    walk.lone = (struct walk_lone *)((char *)memory + region_bytes);
    *exact = walk_note(&walk);
    *again = walk.is_cut;
    if (!walk.is_cut) {
        walk_blocks(&walk, visitor);
    }
    hak_os_unmap(memory, region_bytes + lone_bytes);
    return 0;
}

int hak_walk(hak_walk_visitor visit, void *argument, struct hak_walk_result *result) {
    struct walk_visitor visitor = {visit, argument, 0};
    bool exact = false, again = true;
    hak_process_begin();
    while (again) {
        const int error = walk_once(&visitor, &exact, &again);
        if (error != 0) {
            return error;
        }
    }
    if (result != NULL) {
        *result = (struct hak_walk_result){.blocks = visitor.blocks, .exact = exact};
    }
    return 0;
}
