/* SPDX-License-Identifier: MIT */
/* Regions: 32 MiB of address space each, a header and then chunks, handed out as spans of chunks.
 *
 *     region                                                    multiple of 32 MiB
 *     +--------+-------------+-----------+-------------+--------+--------+-- ... --+
 *     | fields | descriptors | free bits | remote bits | chunk  | chunk  |         |
 *     +--------+-------------+-----------+-------------+--------+--------+-- ... --+
 *       512 of each, one a chunk; sparse, so only what is used becomes resident
 *
 * Chunks become writable as they come into use, from the first on (region_chunks.h): the kernel counts what can be written.
 *
 * The slab layer owns descriptors and bits; this layer gives it the storage, beside no user data. Regions
 * are never unmapped, so a descriptor may be read at any time; their unused pages go back to the system.
 *
 * Invariants, under the region lock:  dirty & ~free == 0  (only free chunks decay)
 *                                     free_count == popcount(free)
 *                                     ready <= reserved; chunks that are dirty or of a span lie before ready */
#ifndef HAKMEM_REGION_REGION_H
#define HAKMEM_REGION_REGION_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"
#include "hakmem/base/config.h"
#include "hakmem/base/lock.h"
#include "hakmem/region/decay.h"

/* What the system was told of huge pages in a region. */
enum region_huge_pages {
    REGION_HUGE_PAGES_NO_WORD,
    REGION_HUGE_PAGES_ASKED,   /* to have some here */
    REGION_HUGE_PAGES_SETTLED, /* not to make more, since some of the region was purged */
};
#include "hakmem/shadow/shadow.h"

#define REGION_WORDS (HAK_REGION_CHUNKS / 64)
#define REGION_DESCRIPTOR_BYTES 256

struct region_descriptor {
    unsigned char bytes[REGION_DESCRIPTOR_BYTES];
} HAK_CACHE_ALIGNED;

struct region {
    struct shadow_region shadow;  /* of the shadow; first, where it looks */
    struct region *next;          /* constant after it is set: older regions first */
    uint32_t ready;               /* region lock; chunks before this one can be written, see region_chunks.h */
    uint32_t reserved;            /* region lock; chunks before this one are ours to make ready */
    uint32_t free_count;          /* region lock */
    uint32_t run_limit;           /* region lock; no run of free chunks is longer than this */
    uint64_t free[REGION_WORDS];  /* region lock; chunks that belong to nobody */
    uint64_t dirty[REGION_WORDS]; /* region lock; free chunks whose pages may be resident and not zero */
    uint64_t freed_at_ms[HAK_REGION_CHUNKS]; /* region lock; valid where dirty */
    uint16_t span_first[HAK_REGION_CHUNKS];  /* atomic; a used chunk's span starts at this chunk */
    uint8_t chunk_class[HAK_REGION_CHUNKS];  /* atomic; what the page map says, and its oracle; see REGION_HIDDEN */
    uint32_t huge_pages;                     /* atomic; enum region_huge_pages */
    struct region_descriptor descriptors[HAK_REGION_CHUNKS];
    uint64_t free_bits[HAK_REGION_CHUNKS][HAK_BITMAP_WORDS_MAX];
    uint64_t remote_bits[HAK_REGION_CHUNKS][HAK_BITMAP_WORDS_MAX];
};

/* In chunk_class: the page map says 0 all the same. */
#define REGION_HIDDEN 0x80u

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

/* Takes a span for blocks of class `class_index` and enters it in the page map. Chunks that are still
 * resident before others, then the lowest address, so that high regions empty. ENOMEM */
int hak_region_span_alloc(unsigned count, unsigned class_index, struct span *out);

/* Gives it back; its pages decay from now on. pre: no block in it is in use */
void hak_region_span_free(struct region *region, unsigned first, unsigned count);

/* Takes `count` free chunks in a row that are resident, for a huge block: they are of no class, and no slab. NULL: there are
 * no such chunks */
void *hak_region_reuse(unsigned count);

/* Gives back `count` chunks that hak_region_reuse gave, all of them or some; they decay from now on. */
void hak_region_reuse_end(void *start, unsigned count);

/* Class of the chunk that p lies in, in either form of the page map; 0 = not ours. Any p. */
unsigned hak_region_chunk_class(const void *p);

/* Makes a span's first `count` chunks read 0 wherever one asks for the class of a chunk, so that frees in it take the slow
 * path; for hak_region_for_each_span it stays what it is. pre: nobody else knows a block in these chunks, which start a span */
void hak_region_span_hide(const void *chunk, unsigned count);

/* Undoes it. pre: they are hidden; the caller is about to free the only block in them */
void hak_region_span_show(const void *chunk, unsigned count);

/* Whether p lies in a region at all, in use or not. Looks at all of them: for reports. */
bool hak_region_contains(const void *p);

/* Calls visit for each used span, region by region, under the region lock, which is let go between two regions. */
void hak_region_for_each_span(void (*visit)(struct region *region, unsigned first, void *argument), void *argument);

/* Returns to the system every dirty span that was freed at or before `freed_until_ms`. Result: bytes. */
size_t hak_region_purge(uint64_t freed_until_ms);

/* The next piece of that. true: nothing is left that is that old */
bool hak_region_purge_piece(struct decay_pass *pass);

/* Gives pages of a region back that nobody else touches, and settles it. As hak_os_purge */
int hak_region_purge_pages(struct region *region, void *start, size_t size, const struct decay_pass *pass);

/* Asks for no more huge pages in a region of which something was given back: the kernel would fill them up again, of
 * which the program uses a part. Any thread. */
void hak_region_settle(struct region *region);

/* Gives back all address space that holds nothing: the flat tables and what regions have reserved. What comes later is
 * reserved no more. false: nothing was left to give. See give_way.h */
bool hak_region_give_way(void);

/* From now on regions reserve nothing. */
void hak_region_stop_reserving(void);

/* Around fork: the child finds the regions consistent. */
void hak_region_fork_locks(lock_visit *visit, struct lock_fork *fork);

/* How many regions there are. A snapshot. */
size_t hak_region_count_now(void);

/* Bytes in free chunks that are not purged yet; those of them that the system does not take; bytes of headers that may be
 * touched. Snapshots. */
size_t hak_region_dirty_bytes(void);
size_t hak_region_refused_bytes(void);
size_t hak_region_metadata_bytes(void);

#endif
