/* SPDX-License-Identifier: MIT */
/* The shadow: one byte for each 16 bytes of the address space, the class of the live block that starts there, else 0.
 *
 * Guard builds only; in these every block starts at a multiple of 16. malloc stores the class. free reads it, instead
 * of the page map, and stores 0. So the one lookup that free needs in any build also tells whether a live block starts
 * at its pointer, whether that is foreign, inside a block, misaligned, freed already or never allocated. The entry is 0
 * for blocks in magazines and slabs, and for huge blocks, which have a table of their own (huge/huge.h). There are two
 * forms:
 *
 * - flat: 2^43 bytes where addresses have 47 bits, reserved and not backed, writable where regions are. The index is the address rotated right by 4,
 *   so one comparison with the limit rejects high addresses and addresses that are no multiple of 16. Entries of
 *   regions get no huge pages, to save memory. Measured for regions with huge pages, where that saves less:
 *   replacement_256m was no faster with huge pages in the shadow too, and each region begun took 2 MiB more.
 * - limited: used if the address space has no room for the flat form (RLIMIT_AS, a tool that needs the space), before
 *   the first initialisation, and after the flat form has given way (region/give_way.h). The limit is 0, which sends
 *   every free to the cold path; that finds the 2 MiB of entries of each region by its header. malloc takes the cold
 *   path as well, because the thread's loaded magazines are kept where the fast path does not look (thread.h). For
 *   threads that began in the flat form malloc keeps writing to the entries of the flat form, which stay mapped.
 *
 *     shadow_class(p) == c != 0   <=>   p is the start of a block of class c that malloc gave out and free did not take
 *
 * An entry is written by the owner of its block: the allocating thread when it gets the block, the freeing thread
 * before it gives the block up. Relaxed accesses suffice, because the freeing thread got the pointer, and the entry
 * with it, from the allocating thread. If several threads free a block at the same moment, one of them clears the
 * entry, by an exchange; the others find that the block is free. */
#ifndef HAKMEM_SHADOW_SHADOW_H
#define HAKMEM_SHADOW_SHADOW_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"
#include "hakmem/os/os.h"

#define SHADOW_SHIFT 4
#define SHADOW_GRAIN ((uintptr_t)1 << SHADOW_SHIFT)

struct hak_shadow {
    uint8_t *classes; /* constant after init; atomic entries; NULL: never flat */
    uintptr_t limit;  /* atomic; number of entries, 0 in the limited form; after init it changes once at most, to 0 */
} HAK_CACHE_ALIGNED;

extern HAK_INTERNAL struct hak_shadow hak_shadow;

/* Index of the entry of p. It is not below the limit if no block can start at p. */
HAK_ALWAYS_INLINE uintptr_t shadow_index(const void *p) {
    return (uintptr_t)p >> SHADOW_SHIFT | (uintptr_t)p << (8 * sizeof(uintptr_t) - SHADOW_SHIFT);
}

/* Chooses the form. Never fails, because the limited form needs no memory yet. pre: called once, before the first
 * region */
void hak_shadow_init(void);

/* A region's header has at least this size. No block starts in it, so the entries of these addresses are never read. */
#define SHADOW_HEADER_BYTES ((uintptr_t)16 * HAK_CHUNK_BYTES)

/* Lies in the region, behind its wall. */
struct shadow_region {
    uint8_t *classes; /* the entry of the region's start; constant once the region is noted (space/units.h) */
};

/* Makes a region's entries writable; they are 0. `is_open`: the region has neither wall nor gap, and its entries are to
 * be one mapping with those of the regions beside it, as it is itself. pre: under the region lock. ENOMEM, EAGAIN;
 * EEXIST: the addresses of the entries are taken by another mapping, so the caller needs another region */
int hak_shadow_add_region(struct shadow_region *region, bool is_open);

/* Switch from the flat to the limited form, in the same two steps as the page map (region/page_map.h). */
void hak_shadow_limit(void);
void hak_shadow_give_way(void);

/* Announces frees of blocks outside all regions, whose entries are 0. Each free reads an entry, for every 64 KiB of
 * blocks in another page. With this call they read the kernel's huge zero page, which costs no memory. Without it the
 * first free in each page took a page fault, and large_churn took 1.5 times as long. */
void hak_shadow_expect_reads(const void *start, size_t size);

/* As hak_shadow_expect_reads, for the addresses below `end`, where blocks will lie; 0: below the table, where the kernel
 * puts later mappings. Called at the start of the process, because a single-threaded program may forbid itself the
 * necessary system calls later. */
void hak_shadow_expect_reads_below(uintptr_t end);

/* Returns to the kernel the pages that hold only entries of the range, by hak_os_purge_by_mapping if `by_mapping`. pre:
 * the range lies in an added region and has no live block */
void hak_shadow_purge(const void *start, size_t size, bool by_mapping);

/* Asserts, in debug builds, that no live block starts in the range. */
void hak_shadow_assert_dead(const void *start, size_t size);

/* The entry of p in the limited form; NULL if no block can start at p. p may be any pointer. */
HAK_COLD uint8_t *hak_shadow_entry_limited(const void *p);

/* The entry of p in either form; NULL if no block can start at p. p may be any pointer. The entry is writable if p lies
 * in a region. */
HAK_ALWAYS_INLINE uint8_t *shadow_entry(const void *p) {
    const uintptr_t index = shadow_index(p);
    return HAK_LIKELY(index < hak_load_setting(&hak_shadow.limit)) ? &hak_shadow.classes[index]
                                                                   : hak_shadow_entry_limited(p);
}

/* Class of the live block that starts at p; 0 if there is none or it is a huge block. p may be any pointer. */
HAK_ALWAYS_INLINE unsigned shadow_class(const void *p) {
    const uint8_t *entry = shadow_entry(p);
    return entry == NULL ? 0 : hak_load_relaxed(entry);
}

/* Clears `live`, the entry of a block that was found to be of the class. false: another thread did so since. A process
 * of one thread stores: the exchange takes some 20 cycles. */
HAK_ALWAYS_INLINE bool shadow_end(uint8_t *live, unsigned class_index) {
    if (HAK_LIKELY(!os_has_threads())) {
        hak_store_relaxed(live, (uint8_t)0);
        return true;
    }
    /* Acquire-release: nothing hangs on it; x86-64 has one form only. Another class is of a block that was given out since. */
    return hak_exchange_acq_rel(live, (uint8_t)0) == (uint8_t)class_index;
}

/* shadow_class, of a block that is to be freed: it is live no more afterwards. */
HAK_ALWAYS_INLINE unsigned shadow_take(const void *p) {
    uint8_t *entry = shadow_entry(p);
    const unsigned class_index = entry == NULL ? 0 : hak_load_relaxed(entry);
    return class_index != 0 && shadow_end(entry, class_index) ? class_index : 0;
}

/* Notes that the block at p is live and of the class, or with 0 that it is live no more. pre: a block may start at p */
HAK_ALWAYS_INLINE void shadow_set(const void *p, unsigned class_index) {
    hak_store_relaxed(shadow_entry(p), (uint8_t)class_index);
}

#endif
