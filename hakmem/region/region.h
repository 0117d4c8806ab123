/* SPDX-License-Identifier: MIT */
/* Regions: 32 MiB of address space each, a header and then chunks, handed out as spans of chunks.
 *
 *     region, a multiple of 32 MiB
 *     +------+--------+-------------+-----------+-------------+-----+--------+--------+-- ... --+
 *     | wall | fields | descriptors | free bits | remote bits | gap | chunk  | chunk  |         |
 *     +------+--------+-------------+-----------+-------------+-----+--------+--------+-- ... --+
 *              512 of each, one a chunk; sparse, so only what is used becomes resident
 *
 * Regions lie side by side, and huge blocks too where the kernel places nothing at random. The inaccessible wall stops a
 * write that runs past the end of what lies below before it reaches the header; the inaccessible gap stops one that runs
 * backwards out of the first chunk. Only the first regions have wall and gap (WALLS_MOST in region_chunks.c).
 *
 * Chunks become writable in ascending order when they come into use (region_chunks.h), because the kernel counts
 * writable memory against limits. A random number of them is skipped at the region's start (place.h) and comes into use
 * before another region is mapped.
 *
 * The slab layer owns descriptors and bits; this layer provides their storage, away from user data. Regions are never
 * unmapped, so a descriptor may be read at any time; their unused pages are returned to the kernel.
 *
 * Invariants, under the region lock:  dirty & ~free == 0  (only free chunks decay)
 *                                     ready <= reserved; chunks that are dirty or of a span lie before ready
 *                                     the `skipped` first chunks are neither free nor dirty nor of a span */
#ifndef HAKMEM_REGION_REGION_H
#define HAKMEM_REGION_REGION_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"
#include "hakmem/base/lock.h"
#include "hakmem/region/decay.h"

/* The advice on huge pages that the kernel was given for a region. */
enum region_huge_pages {
    REGION_HUGE_PAGES_NO_WORD,
    REGION_HUGE_PAGES_WAITING, /* none yet: the region will ask if the process goes on for long enough */
    REGION_HUGE_PAGES_ASKED,   /* to have some here */
    REGION_HUGE_PAGES_SETTLED, /* not to make more, since some of the region was purged */
};
#include "hakmem/shadow/shadow.h"

#define REGION_WORDS (HAK_REGION_CHUNKS / 64)
#define REGION_DESCRIPTOR_BYTES 256

struct region_descriptor {
    unsigned char bytes[REGION_DESCRIPTOR_BYTES];
} HAK_CACHE_ALIGNED;

/* A flag in chunk_class: the page map has 0 for the chunk although it is in use. Classes are below it. */
#define REGION_HIDDEN 0x80u

struct region {
    unsigned char wall[HAK_REGION_WALL_BYTES];
    struct shadow_region shadow; /* of the shadow; at the wall's end, where it looks */
    struct region *next;         /* constant after it is set: older regions first */
    uint32_t number;   /* constant after it is set: as `ordinal`, but counted for each node by itself, see runs.h */
    uint32_t ready;    /* region lock; chunks before this one can be written, see region_chunks.h */
    uint32_t reserved; /* region lock; chunks before this one are ours to make ready */
    uint32_t skipped;  /* region lock; the first chunks, so many, that are used last, see region_chunks.h */
    bool skipped_is_reserved;     /* region lock; they are ours to make ready */
    uint8_t node;                 /* constant after it is set; that of the thread that made it, see node.h */
    bool is_open;                 /* constant after it is set; it has no wall and no gap, see region_chunks.h */
    uint32_t ordinal;             /* constant after it is set; regions of all nodes in the order of their making */
    uint64_t free[REGION_WORDS];  /* region lock; chunks that belong to nobody */
    uint64_t dirty[REGION_WORDS]; /* region lock; free chunks whose pages may be resident and not zero */
    uint64_t freed_at_ms[HAK_REGION_CHUNKS];  /* region lock; valid where dirty */
    uint16_t span_first[HAK_REGION_CHUNKS];   /* atomic; a used chunk's span starts at this chunk */
    uint8_t chunk_class[HAK_REGION_CHUNKS];   /* atomic; what the page map says, and its oracle; see REGION_HIDDEN */
    uint8_t class_before[HAK_REGION_CHUNKS];  /* region lock; the class of the span that was freed here last */
    uint16_t freed_before[HAK_REGION_CHUNKS]; /* region lock; the span of its class that was freed before it; 0: none */
    uint16_t freed_last[REGION_HIDDEN];       /* region lock; of each class the span that was freed last; 0: none */
    uint32_t huge_pages;                      /* atomic, written under the region lock; enum region_huge_pages */
    struct region_descriptor descriptors[HAK_REGION_CHUNKS];
    uint64_t free_bits[HAK_REGION_CHUNKS][HAK_BITMAP_WORDS_MAX];
    uint64_t remote_bits[HAK_REGION_CHUNKS][HAK_BITMAP_WORDS_MAX];
};

/* The first chunk that user data may lie in. */
#define REGION_CHUNK_FIRST ((unsigned)((sizeof(struct region) + HAK_CHUNK_BYTES - 1) / HAK_CHUNK_BYTES))

HAK_ALWAYS_INLINE struct region *region_of(const void *p) {
    return (struct region *)((uintptr_t)p & ~(uintptr_t)(HAK_REGION_BYTES - 1));
}

/* Position in its region of the chunk that p lies in. */
HAK_ALWAYS_INLINE unsigned region_chunk_of(const void *p) {
    return (unsigned)((uintptr_t)p >> HAK_CHUNK_SHIFT) & (HAK_REGION_CHUNKS - 1);
}

HAK_ALWAYS_INLINE void *region_chunk_address(struct region *region, unsigned chunk) {
    return (char *)region + (size_t)chunk * HAK_CHUNK_BYTES;
}

/* A span: `count` chunks in a row, used by one slab. */
struct span {
    struct region *region;
    unsigned first, count;
    bool zeroed; /* every byte reads zero */
};

/* Takes a span for blocks of class `class_index` and enters it in the page map. Prefers resident chunks, of
 * those a span of the class that was freed lately, then the lowest address, so that high regions become empty. ENOMEM */
int hak_region_span_alloc(unsigned count, unsigned class_index, struct span *out);

/* Frees a span; its pages decay from now on. pre: no block in it is in use */
void hak_region_span_free(struct region *region, unsigned first, unsigned count);

/* Takes `count` free chunks in a row that are resident, for a huge block: they are of no class, and no slab. NULL:
 * there are no such chunks */
void *hak_region_reuse(unsigned count);

/* Gives back `count` chunks that hak_region_reuse gave, all of them or some; they decay from now on. */
void hak_region_reuse_end(void *start, unsigned count);

/* Class of the chunk that p lies in, in either form of the page map; 0 if it is not a chunk of a slab, or is hidden. p
 * may be any pointer. */
unsigned hak_region_chunk_class(const void *p);

/* The class of a hidden chunk; 0 if it is none. p may be any pointer. */
unsigned hak_region_hidden_class(const void *p);

/* Makes a span's first `count` chunks read 0 wherever one asks for the class of a chunk, so that frees in it take the
 * slow path; for hak_region_for_each_span it stays what it is. pre: nobody else knows a block in these chunks, which
 * start a span */
void hak_region_span_hide(const void *chunk, unsigned count);

/* Undoes hak_region_span_hide. pre: the chunks are hidden, and the caller is about to free the only block in them */
void hak_region_span_show(const void *chunk, unsigned count);

/* Whether p lies in the chunks of any region, in use or not. Any p; takes no lock. */
bool hak_region_contains(const void *p);

/* Calls visit for each used span, region by region, under the region lock, which is released between regions: one hold visits
 * at most HAK_REGION_CHUNKS spans. */
void hak_region_for_each_span(void (*visit)(struct region *region, unsigned first, void *argument), void *argument);

/* Returns to the system every dirty span that was freed at or before `freed_until_ms`. Result: bytes. */
size_t hak_region_purge(uint64_t freed_until_ms);

/* Does the next piece of such a purge. true: no span that old is left */
bool hak_region_purge_piece(struct decay_pass *pass);

/* Returns pages of a region to the kernel and settles the region. Errors as of hak_os_purge. pre: no other thread
 * accesses the pages */
int hak_region_purge_pages(struct region *region, void *start, size_t size, const struct decay_pass *pass);

/* Turns huge pages off in a region after a purge. Otherwise khugepaged would populate the range that was just purged,
 * although the program uses only part of it. Thread-safe; takes the region lock once a region. */
void hak_region_settle(struct region *region);

/* Asks for huge pages in the regions that wait for that; where `now_ms` is too early, schedules a look for later. Thread-safe;
 * takes the region lock once a region. pre: the caller has just taken the look that was due (decay.h) */
void hak_region_ask_waiting(uint64_t now_ms);

/* In the child of a fork: schedules that look again, which a thread of the parent may have taken. */
void hak_region_fork_child(void);

/* Unmaps all unused address space: the flat tables, blocks of size 0, and the unused reservations of regions. Later
 * regions reserve nothing. false: there was nothing to unmap. See give_way.h */
bool hak_region_give_way(void);

/* Makes regions that are mapped from now on reserve nothing. */
void hak_region_stop_reserving(void);

/* Around fork: the child finds the regions consistent. */
void hak_region_fork_locks(lock_visit *visit, struct lock_fork *fork);

/* The number of regions. A snapshot. */
size_t hak_region_count_now(void);

/* Bytes of free chunks that are not purged yet; bytes of those whose purge the kernel refused; bytes of headers, and of
 * the shadow where there is one, that may be resident. Snapshots. */
size_t hak_region_dirty_bytes(void);
size_t hak_region_refused_bytes(void);
size_t hak_region_metadata_bytes(void);

#endif
