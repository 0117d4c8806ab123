/* SPDX-License-Identifier: MIT */
/* See lost.h. The mappings are read before anything is mapped here, so that what is noted here is no root; the blocks come from
 * hak_walk, their records from the profile. */
#include "hakmem/observe/lost.h"

#include <errno.h>
#include <string.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"
#include "hakmem/hakmem.h"
#include "hakmem/huge/huge.h"
#include "hakmem/ladder/learn.h"
#include "hakmem/magazine/record.h"
#include "hakmem/observe/lost_mark.h"
#include "hakmem/observe/lost_roots.h"
#include "hakmem/observe/profile_page.h"
#include "hakmem/os/maps.h"
#include "hakmem/os/os.h"
#include "hakmem/process/fork.h"
#include "hakmem/region/kept.h"
#include "hakmem/sample/profile.h"

/* Blocks and ranges that may come between two counts. */
#define LOST_MORE 1024u

struct lost_look {
    struct lost_marks marks;
    struct lost_roots roots;
    size_t block_capacity, range_capacity;
    size_t bytes; /* of the memory that starts with the blocks */
    bool is_cut;  /* there was more than there is room for */
};

/* ---- How much there is ---- */

static bool look_count_block(const struct hak_walk_block *block, void *argument) {
    (void)block;
    (void)argument;
    return true;
}

static void look_count_range(void *start, size_t size, void *argument) {
    (void)start;
    (void)size;
    ++*(size_t *)argument;
}

static size_t look_count_ranges(void) {
    size_t count = 0;
    hak_huge_for_each(look_count_range, &count);
    hak_kept_for_each(look_count_range, &count);
    for (const struct hak_thread *thread = hak_record_newest(); thread != NULL; thread = thread->older) {
        count++;
    }
    return count;
}

/* ---- Noting ---- */

static bool look_note_block(const struct hak_walk_block *block, void *argument) {
    struct lost_look *look = argument;
    if (look->marks.count == look->block_capacity) {
        look->is_cut = true;
        return false;
    }
    const uint8_t shift = block->pool == HAK_POOL_HUGE ? HAK_CHUNK_SHIFT : LOST_SHIFT_CLASS;
    look->marks.blocks[look->marks.count++] = (struct lost_block){
        .start = (uintptr_t)block->start,
        .units = (uint32_t)(block->size >> shift),
        .record = (uint16_t)hak_profile_record_at(block->start),
        .shift = shift,
    };
    return true;
}

static void look_note_range(void *start, size_t size, void *argument) {
    struct lost_look *look = argument;
    if (look->roots.other_count == look->range_capacity) {
        look->is_cut = true;
        return;
    }
    look->roots.others[look->roots.other_count++] =
        (struct lost_range){.start = (uintptr_t)start, .end = (uintptr_t)start + size};
}

static void look_note_ranges(struct lost_look *look) {
    look_note_range(look->marks.blocks, look->bytes, look);
    hak_huge_for_each(look_note_range, look);
    hak_huge_visit_table(look_note_range, look);
    hak_kept_for_each(look_note_range, look);
    hak_os_visit_places(look_note_range, look);
    hak_profile_visit_notes(look_note_range, look);
    /* Slots above a magazine's top keep the addresses of blocks that were taken. */
    for (struct hak_thread *thread = hak_record_newest(); thread != NULL; thread = thread->older) {
        look_note_range(thread, hak_record_bytes() + ladder_learning_bytes(), look);
    }
    hak_lost_order_ranges(&look->roots);
}

/* ---- One look ---- */

static int look_map(struct lost_look *look, uint64_t blocks) {
    const size_t page = hak_os_page_size();
    look->block_capacity = blocks + blocks / 8 + LOST_MORE;
    look->range_capacity = look_count_ranges() + LOST_MORE;
    const size_t block_bytes = look->block_capacity * sizeof *look->marks.blocks;
    const size_t waiting_bytes = bits_round_up(look->block_capacity * sizeof *look->marks.waiting, 8);
    const size_t word_bytes = LOST_WORDS * sizeof *look->marks.words;
    const size_t range_bytes = look->range_capacity * sizeof *look->roots.others;
    look->bytes = bits_round_up(block_bytes + waiting_bytes + word_bytes + range_bytes + LOST_PAGES, page);
    void *memory;
    if (look->block_capacity >= UINT32_MAX || hak_os_map(look->bytes, page, &memory) != 0) {
        return ENOMEM;
    }
    char *at = memory;
    look->marks.blocks = memory;
    look->marks.waiting = (uint32_t *)(void *)(at += block_bytes);
    look->marks.words = (uint64_t *)(void *)(at += waiting_bytes);
    look->roots.others = (struct lost_range *)(void *)(at += word_bytes);
    look->marks.pages = (unsigned char *)at + range_bytes;
    return 0;
}

static void look_sum(const struct lost_marks *marks, struct profile_lost *lost) {
    for (uint32_t i = 0; i < marks->count; i++) {
        const struct lost_block *block = &marks->blocks[i];
        if (block->record < PROFILE_RECORDS && block->state != LOST_REACHED) {
            lost[block->record].directly += block->state == LOST_UNSEEN;
            lost[block->record].indirectly += block->state == LOST_INDIRECTLY;
        }
    }
}

static int look_mark(struct lost_look *look, struct profile_lost *lost) {
    const int error = hak_walk(look_note_block, look, NULL);
    look_note_ranges(look);
    if (error != 0 || look->is_cut) {
        return error;
    }
    hak_lost_order(&look->marks);
    look->marks.scanned = UINT32_MAX;
    look->marks.sets = LOST_REACHED;
    hak_lost_scan_roots(&look->roots, &look->marks);
    hak_lost_spread(&look->marks);
    look_sum(&look->marks, lost);
    return 0;
}

static int look_once(struct lost_look *look, uint64_t blocks, struct profile_lost *lost) {
    int error = look_map(look, blocks);
    if (error == 0) {
        error = look_mark(look, lost);
        hak_os_unmap(look->marks.blocks, look->bytes);
    }
    return error;
}

/* 0 or an errno value. Not inlined: the caller's whole frame lies behind this one's start. */
static HAK_NOINLINE int look(int memory, int page_map, struct profile_lost *lost, bool is_alone) {
    const uint64_t stack = (uintptr_t)__builtin_frame_address(0);
    struct maps maps;
    int error = hak_maps_read(&maps);
    for (bool again = error == 0; again;) {
        struct hak_walk_result counted = {0};
        struct lost_look once = {
            .marks = {.memory = memory, .page_map = page_map, .has_swap = hak_os_has_swap(), .is_alone = is_alone},
            .roots = {.maps = maps, .stack = stack}};
        error = hak_walk(look_count_block, NULL, &counted);
        error = error != 0 ? error : look_once(&once, counted.blocks, lost);
        again = error == 0 && once.is_cut;
    }
    hak_maps_free(&maps);
    return error;
}

/* Whether memory can be read as a file: what a filter of the program's refuses would be taken for lost. 0 or an errno value */
static int look_try(int memory) {
    uint64_t known = (uintptr_t)&known, read = 0;
    size_t count = 0;
    const int error = hak_os_file_read_at(memory, (uintptr_t)&known, &read, sizeof read, &count);
    return error != 0 ? error : count == sizeof read && read == known ? 0 : EIO;
}

/* The registers that functions keep for their callers go to this frame, which is part of the stack that is scanned. */
int hak_lost_find(struct profile_lost *lost, bool is_alone) {
    int memory = -1, page_map = -1;
    __builtin_unwind_init();
    int error = hak_os_file_open("/proc/self/mem", &memory);
    if (error == 0) {
        error = look_try(memory);
        if (error == 0 && hak_os_file_open("/proc/self/pagemap", &page_map) != 0) {
            page_map = -1;
        }
        error = error != 0 ? error : look(memory, page_map, lost, is_alone);
        if (page_map >= 0) {
            (void)hak_os_file_close(page_map);
        }
        (void)hak_os_file_close(memory);
    }
    return error;
}

/* The tool takes an answer whose number it finds before and after it has read the rest. NULL: the table is a parent's */
static struct hak_profile_table *answer_begin(void) {
    struct hak_profile_table *shared = hak_profile_page_shared();
    if (shared != NULL) {
        hak_store_relaxed(&shared->answered, (uint64_t)0);
        hak_fence_release(); /* what follows is stored after it; pairs with the tool's order of reading */
        memset(shared->lost, 0, sizeof shared->lost);
    }
    return shared;
}

static void answer_end(struct hak_profile_table *shared, uint64_t asked, int error) {
    shared->lost_problem = (uint64_t)error;
    /* Release: pairs with the tool's reading of the number before the rest. */
    hak_store_release(&shared->answered, asked);
}

/* In the copy. */
static void answer_here(void *asked) {
    struct hak_profile_table *shared = answer_begin();
    if (shared != NULL) {
        const int error = hak_lost_find(shared->lost, true);
        answer_end(shared, *(const uint64_t *)asked, error);
    }
}

/* In the process. The copy, which alone writes there too, was not made or has ended. Every lock is held, or a thread that samples could
 * unmap the table meanwhile, where the program has closed its file. */
static void answer_failed(void *asked, int error) {
    struct hak_profile_table *shared = answer_begin();
    if (shared != NULL) {
        answer_end(shared, *(const uint64_t *)asked, error);
    }
}

void hak_lost_answer(uint64_t asked) {
    /* Before the copy, which cannot tell whose the file is: a child that no handler saw would answer in its parent's. */
    if (hak_profile_page_is_parents()) {
        hak_profile_show_whole();
    }
    hak_fork_copy(answer_here, answer_failed, &asked);
}
