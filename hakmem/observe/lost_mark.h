/* SPDX-License-Identifier: MIT */
/* The marking of lost.h: the live blocks in the order of their addresses, what leads to them, and the reading of memory.
 *
 * Memory is read through /proc/self/mem, which fails where nothing is mapped any more or a device does not answer; a load
 * would end the process there, and at a page that the program made inaccessible. A struct lost_marks belongs to one thread. */
#ifndef HAKMEM_OBSERVE_LOST_MARK_H
#define HAKMEM_OBSERVE_LOST_MARK_H

#include "hakmem/base/compiler.h"

enum lost_state { LOST_UNSEEN, LOST_REACHED, LOST_INDIRECTLY };

/* A block's size in bytes is `units` shifted left: by this where it is of a class, whose sizes are multiples of words, else by
 * HAK_CHUNK_SHIFT. */
#define LOST_SHIFT_CLASS 3

struct lost_block {
    uint64_t start;
    uint32_t units;
    uint16_t record;
    uint8_t shift;
    uint8_t state;
};

HAK_STATIC_ASSERT(sizeof(struct lost_block) == 16, "there may be as many as the heap has blocks");

struct lost_marks {
    struct lost_block *blocks; /* ascending, once hak_lost_order was called */
    uint32_t *waiting;         /* reached, and not scanned yet */
    uint64_t *words;           /* LOST_WORDS; what was read */
    unsigned char *pages;      /* LOST_PAGES; which pages are resident */
    uint32_t count, waiting_count;
    uint32_t scanned;     /* the block that is scanned: what it says of itself does not count */
    int memory;           /* descriptor of /proc/self/mem */
    int page_map;         /* of /proc/self/pagemap; negative: it cannot be read */
    bool has_swap;        /* pages may be swapped out */
    bool is_alone;        /* no other thread can free a block: those that hold no whole page are read where they lie */
    enum lost_state sets; /* what becomes of blocks that a scan finds unseen */
};

#define LOST_WORDS 8192u
#define LOST_PAGES 4096u

HAK_STATIC_ASSERT(LOST_PAGES <= LOST_WORDS, "an entry of each page has room");

/* Sorts the blocks by their addresses. */
void hak_lost_order(struct lost_marks *marks);

/* Marks what the words of [start, end) point to. */
void hak_lost_scan(struct lost_marks *marks, uint64_t start, uint64_t end);

/* Marks what the reached blocks lead to, then what the lost ones point to. */
void hak_lost_spread(struct lost_marks *marks);

#endif
