/* SPDX-License-Identifier: MIT */
/* See lost_mark.h. */
#include "hakmem/observe/lost_mark.h"

#include "hakmem/base/bits.h"
#include "hakmem/os/os.h"

#define NO_BLOCK UINT32_MAX

/* ---- The blocks by their addresses ---- */

static void mark_sift(struct lost_block *blocks, uint32_t at, uint32_t count) {
    const struct lost_block moved = blocks[at];
    for (uint64_t child; (child = 2 * (uint64_t)at + 1) < count; at = (uint32_t)child) {
        child += child + 1 < count && blocks[child + 1].start > blocks[child].start;
        if (blocks[child].start <= moved.start) {
            break;
        }
        blocks[at] = blocks[child];
    }
    blocks[at] = moved;
}

/* Heap sort: no further memory, and no order is a bad one. */
void hak_lost_order(struct lost_marks *marks) {
    struct lost_block *blocks = marks->blocks;
    for (uint32_t at = marks->count / 2; at-- > 0;) {
        mark_sift(blocks, at, marks->count);
    }
    for (uint32_t end = marks->count; end-- > 1;) {
        const struct lost_block largest = blocks[0];
        blocks[0] = blocks[end];
        blocks[end] = largest;
        mark_sift(blocks, 0, end);
    }
}

static uint64_t mark_end(const struct lost_block *block) {
    return block->start + ((uint64_t)block->units << block->shift);
}

/* The block that an address lies in, or NO_BLOCK. */
static uint32_t mark_find(const struct lost_marks *marks, uint64_t address) {
    uint32_t from = 0, to = marks->count; /* the first block behind the address is in [from, to] */
    while (from < to) {
        const uint32_t middle = from + (to - from) / 2;
        if (marks->blocks[middle].start <= address) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from != 0 && address < mark_end(&marks->blocks[from - 1]) ? from - 1 : NO_BLOCK;
}

/* ---- Memory ---- */

/* Blocks are read as they are: the sanitizers would object. */
#define MARK_READS_BLOCKS __attribute__((no_sanitize("address", "thread"), noinline))

static MARK_READS_BLOCKS void mark_words(struct lost_marks *marks, const uint64_t *words, size_t count) {
    const uint64_t lowest = marks->blocks[0].start, span = mark_end(&marks->blocks[marks->count - 1]) - lowest;
    for (size_t i = 0; i < count; i++) {
        if (words[i] - lowest >= span) {
            continue;
        }
        const uint32_t found = mark_find(marks, words[i]);
        if (found == NO_BLOCK || found == marks->scanned || marks->blocks[found].state != LOST_UNSEEN) {
            continue;
        }
        marks->blocks[found].state = (uint8_t)marks->sets;
        if (marks->sets == LOST_REACHED) {
            marks->waiting[marks->waiting_count++] = found;
        }
    }
}

/* Where a page cannot be read, the next one is tried, then the second, the fourth .. behind it: a range that another thread
 * unmapped meanwhile is left soon. */
static void mark_resident(struct lost_marks *marks, uint64_t start, uint64_t end) {
    const size_t page = hak_os_page_size();
    uint64_t step = page;
    while (start < end) {
        size_t size = LOST_WORDS * sizeof *marks->words, count = 0;
        size = end - start < size ? end - start : size;
        if (hak_os_file_read_at(marks->memory, start, marks->words, size, &count) == 0 && count >= sizeof(uint64_t)) {
            mark_words(marks, marks->words, count / sizeof(uint64_t));
            start += count & ~(sizeof(uint64_t) - 1);
            step = page;
        } else {
            start = (start & ~((uint64_t)page - 1)) + step;
            step *= 2;
        }
    }
}

/* Of a page's entry in /proc/PID/pagemap, which nobody needs a right for: present or swapped out (Linux,
 * Documentation/admin-guide/mm/pagemap.rst). What is not mapped has entries of 0. */
#define PAGEMAP_TOUCHED ((uint64_t)3 << 62)

/* Which pages from `first` on hold anything. mincore knows of no swap, and refuses a range of which a part was unmapped
 * meanwhile; the page map knows nothing of shared memory that this process has not touched yet. 0 or an errno value */
static int mark_look_at_pages(struct lost_marks *marks, uint64_t first, size_t bytes) {
    const size_t page = hak_os_page_size(), count = bytes / page, size = count * sizeof *marks->words;
    const int error = hak_os_resident((void *)(uintptr_t)first, bytes, marks->pages);
    size_t read = 0;
    if ((error == 0 && !marks->has_swap) || marks->page_map < 0 ||
        hak_os_file_read_at(marks->page_map, first / page * sizeof *marks->words, marks->words, size, &read) != 0) {
        return error;
    }
    for (size_t i = 0; i < count; i++) {
        const bool is_touched = i < read / sizeof *marks->words && (marks->words[i] & PAGEMAP_TOUCHED) != 0;
        marks->pages[i] = is_touched || (error == 0 && (marks->pages[i] & 1) != 0);
    }
    return 0;
}

/* What is not resident reads zero, and is left as it is: programs map far more than they touch. */
static void mark_touched(struct lost_marks *marks, uint64_t start, uint64_t end) {
    const size_t page = hak_os_page_size();
    const uint64_t first = start & ~((uint64_t)page - 1);
    if (mark_look_at_pages(marks, first, bits_round_up(end - first, page)) != 0) {
        mark_resident(marks, start, end);
        return;
    }
    for (uint64_t at = start, next; at < end; at = next) {
        const bool is_resident = marks->pages[(at - first) / page] & 1;
        for (next = at; next < end && (marks->pages[(next - first) / page] & 1) == is_resident;) {
            next = (next & ~((uint64_t)page - 1)) + page;
        }
        next = next < end ? next : end;
        if (is_resident) {
            mark_resident(marks, at, next);
        }
    }
}

void hak_lost_scan(struct lost_marks *marks, uint64_t start, uint64_t end) {
    const uint64_t most = (uint64_t)(LOST_PAGES - 1) * hak_os_page_size();
    start = bits_round_up(start, sizeof(uint64_t));
    while (marks->count != 0 && start < end) {
        const uint64_t next = end - start > most ? start + most : end;
        /* A look at the pages costs as much as reading some of them. */
        if (next - start < 16 * hak_os_page_size()) {
            mark_resident(marks, start, next);
        } else {
            mark_touched(marks, start, next);
        }
        start = next;
    }
}

/* ---- From block to block ---- */

/* Whether a whole page lies in the block. Then the program may have made it inaccessible: a coroutine's stack has a guard page. */
static bool mark_has_page(const struct lost_block *block) {
    const size_t page = hak_os_page_size();
    return bits_round_up(block->start, page) + page <= mark_end(block);
}

static void mark_block(struct lost_marks *marks, uint32_t index) {
    const struct lost_block *block = &marks->blocks[index];
    marks->scanned = index;
    if (marks->is_alone && block->shift == LOST_SHIFT_CLASS && !mark_has_page(block)) {
        mark_words(marks, (const uint64_t *)(uintptr_t)block->start, block->units);
    } else {
        hak_lost_scan(marks, block->start, mark_end(block));
    }
    marks->scanned = NO_BLOCK;
}

void hak_lost_spread(struct lost_marks *marks) {
    while (marks->waiting_count != 0) {
        mark_block(marks, marks->waiting[--marks->waiting_count]);
    }
    marks->sets = LOST_INDIRECTLY;
    for (uint32_t i = 0; i < marks->count; i++) {
        if (marks->blocks[i].state != LOST_REACHED) {
            mark_block(marks, i);
        }
    }
}
