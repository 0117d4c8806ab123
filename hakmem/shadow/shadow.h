/* SPDX-License-Identifier: MIT */
/* The shadow: one byte for 16 bytes of the address space, the class of the live block that starts there, else 0.
 *
 * Builds with `guard` only, in which every block starts at a multiple of 16. malloc stores the class, free reads it in
 * place of the page map, and stores 0. So the one look that free takes anyhow finds whether a live block starts at its
 * pointer, whatever that is: foreign, inside a block, misaligned, given back already or never given out. Blocks in
 * magazines and slabs read 0, huge blocks do as well: their table knows them (huge/huge.h). Two forms:
 * - flat: 2^43 bytes, reserved and not backed, writable where regions are. The index is the address rotated right by 4,
 *   so that one comparison with the limit keeps out high addresses and what is no multiple of 16. Kept from huge pages for
 *   memory's sake where there are regions. Measured where those have huge pages themselves, so that memory speaks less
 *   against it: replacement_256m took as long, and a region begun was 2 MiB more.
 * - limited: where the address space has no room for that (RLIMIT_AS, a tool that needs it itself), before the first
 *   initialisation, and once the flat form has given way (region/give_way.h): the limit is 0 and sends every free to the cold
 *   path, which finds the 2 MiB of each region by its header. A malloc comes there as well, because the thread's loaded
 *   magazines are kept where it does not look (thread.h); of threads that began in the flat form it writes where that had
 *   them, and there they stay.
 *
 *     shadow_class(p) == c != 0   <=>   p is the start of a block of class c that malloc gave out and free did not take
 *
 * An entry is written by who owns its block: the allocating thread when it has the block, the freeing thread before it
 * lets it go. Whoever frees got the pointer, and the entry with it, from the one who allocated; so relaxed accesses will
 * do. Two threads that free one block at the same moment may both find it live; its slab finds the second then. */
#ifndef HAKMEM_SHADOW_SHADOW_H
#define HAKMEM_SHADOW_SHADOW_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"

#define SHADOW_SHIFT 4
#define SHADOW_GRAIN ((uintptr_t)1 << SHADOW_SHIFT)

struct hak_shadow {
    uint8_t *classes; /* constant after init; atomic entries; NULL: never flat */
    uintptr_t limit;  /* atomic; number of entries, 0 in the limited form; after init it changes once at most, to 0 */
} HAK_CACHE_ALIGNED;

extern HAK_INTERNAL struct hak_shadow hak_shadow;

/* Not below the limit for what is no address of a block. */
HAK_ALWAYS_INLINE uintptr_t shadow_index(const void *p) {
    return (uintptr_t)p >> SHADOW_SHIFT | (uintptr_t)p << (8 * sizeof(uintptr_t) - SHADOW_SHIFT);
}

/* Chooses the form. pre: called once, before the first region. Never fails: the limited form needs nothing yet. */
void hak_shadow_init(void);

/* What a region's header starts with; the header is at least so long, and its entries are never asked for. */
#define SHADOW_HEADER_BYTES ((uintptr_t)16 * HAK_CHUNK_BYTES)

struct shadow_region {
    uint8_t *classes; /* constant once the region is noted (space/units.h); the entry of the region's start */
};

/* Makes a region's entries writable; they are 0. pre: under the region lock. ENOMEM, EAGAIN; EEXIST: others have mapped what
 * the entries need, so it has to be another region */
int hak_shadow_add_region(struct shadow_region *region);

/* From flat to limited, in two steps, as the page map does (region/page_map.h). */
void hak_shadow_limit(void);
void hak_shadow_give_way(void);

/* Says that blocks, which have no mark, will be freed in memory that lies in no region: each free reads an entry, every
 * 64 KiB in another page. They read one huge page of zeros, which is the kernel's and costs nothing; without, the first
 * free at each place was a page fault: large_churn took 1.5 times as long. */
void hak_shadow_expect_reads(const void *start, size_t size);

/* The same at the start of the process for the addresses below the table, where the kernel puts what is mapped next: programs
 * of one thread may have forbidden themselves what it takes later. */
void hak_shadow_expect_reads_below(void);

/* Gives back the pages that hold entries of the range only; `by_mapping`: by hak_os_purge_by_mapping. pre: the range lies in an
 * added region, and no live block in it */
void hak_shadow_purge(const void *start, size_t size, bool by_mapping);

/* Asserts, in debug builds, that no live block starts in the range. */
void hak_shadow_assert_dead(const void *start, size_t size);

/* The entry of any p in the limited form, NULL where p is no possible start of a block. */
HAK_COLD uint8_t *hak_shadow_entry_limited(const void *p);

/* The entry of any p in either form; NULL where p is no possible start of a block. It may be written where p lies in a
 * region. */
HAK_ALWAYS_INLINE uint8_t *shadow_entry(const void *p) {
    const uintptr_t index = shadow_index(p);
    return HAK_LIKELY(index < hak_load_setting(&hak_shadow.limit)) ? &hak_shadow.classes[index]
                                                                   : hak_shadow_entry_limited(p);
}

/* Class of the live block that starts at p, any p; 0 where none does, or a huge one. */
HAK_ALWAYS_INLINE unsigned shadow_class(const void *p) {
    const uint8_t *entry = shadow_entry(p);
    return entry == NULL ? 0 : hak_load_relaxed(entry);
}

/* Notes that the block at p is live and of that class, or not any more: 0. pre: a block may start at p */
HAK_ALWAYS_INLINE void shadow_set(const void *p, unsigned class_index) {
    hak_store_relaxed(shadow_entry(p), (uint8_t)class_index);
}

#endif
