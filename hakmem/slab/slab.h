/* SPDX-License-Identifier: MIT */
/* Slabs: chunks divided into equal blocks of one class, with one bit per block, stored outside the blocks.
 *
 * Called by the magazine layer when it exchanges magazines. The state decides which thread may access what:
 *
 *     state    who may touch free_bits        where the slab is
 *     OWNED    the owner, plain               one of the owner's two active slabs of the class
 *     FULL     nobody                         in no list; fewer than an eighth of the blocks free
 *     PARTIAL  nobody                         in the class's lists, under the class lock
 *     EMPTY    nobody                         given back to the region layer
 *
 *     EMPTY   -> OWNED      hak_slab_create
 *     OWNED   -> FULL       hak_slab_detach; if more is free, PARTIAL or EMPTY follows at once
 *     FULL    -> PARTIAL    a free brings the count to an eighth of the blocks
 *     PARTIAL -> OWNED      hak_slab_claim, and for a moment while its free pages are purged
 *     FULL or PARTIAL -> EMPTY   a free brings the count to all blocks
 *
 * Any thread frees into a slab that it does not own by setting remote_bits and then adding to the count in
 * `control`. State, class and count share that word, so every transition is one atomic operation on it and
 * sees exactly the frees that were counted before it:
 *
 *     OWNED:          count + uncounted == popcount(remote_bits) + drained and not yet subtracted
 *     FULL, PARTIAL:  count + uncounted == free_count + popcount(remote_bits)
 *     uncounted:      bits that are set and whose addition has still to come, so count <= what the bits say;
 *                     a drain takes such bits too, and leaves the count below zero until then
 *
 * The count is a freeing thread's last access to the slab, unless its own addition makes it the one that
 * moves the slab; that is why EMPTY may only follow from the count, never from the bits. */
#ifndef HAKMEM_SLAB_SLAB_H
#define HAKMEM_SLAB_SLAB_H

#include "hakmem/misuse/misuse.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/region.h"
#include "hakmem/size_class/size_class.h"

enum slab_state { SLAB_EMPTY, SLAB_OWNED, SLAB_FULL, SLAB_PARTIAL };

/* The owner number that means no owner. */
#define SLAB_NOBODY 0u

/* Slabs with up to this many bitmap words store them in the descriptor, so that they touch no other pages. Four words
 * share the cache line of the other fields, and eight fill one. */
#define SLAB_INLINE_WORDS 12

/* A slab's neighbours in its list, each by the number of its first chunk in the address space; 0: none. */
struct slab_link {
    uint32_t next, previous;
};

/* What is known of a slab. A write of the program that goes astray may hit it, so it holds no address that blocks or
 * bits are found by: these follow from the descriptor's own address and the class, which the callers know. What cannot
 * be computed is compared with the rest wherever a slow path uses it (check.h). */
struct slab {
    /* First two lines: changed by the owner only, or under the class lock while there is none. */
    uint32_t free_count;    /* == popcount(free_bits) whenever the owner is between calls */
    uint32_t scan_word;     /* no word before this has a free bit */
    uint32_t fresh_from;    /* blocks from here on were never given out; with `zeroed` they read zero */
    uint32_t owner;         /* atomic; number of the owning thread, or SLAB_NOBODY */
    uint32_t purged_free;   /* class lock; count of free blocks when its free pages were last purged */
    uint32_t listed_free;   /* class lock; blocks freed since then, when it was listed. 0: there is nothing to purge */
    uint8_t bucket;         /* class lock; which list of the class it is in */
    bool zeroed;            /* constant while the slab lives; its memory read zero when it was made */
    uint8_t resident_class; /* guard full, slabs of one block: who holds it; front/guarded.c. Outlives the slab */
    /* 1 = free and not in remote_bits; the words are atomic: others read them. Use slab_free_bits. */
    uint64_t inline_free_bits[SLAB_INLINE_WORDS];

    /* The other two: changed by others. */
    uint64_t control HAK_CACHE_ALIGNED; /* atomic; state | class << 8 | count << 16 */
    struct slab_link link;              /* class lock; list.h */
    uint64_t listed_at_ms;              /* class lock; when it came into its list */
    /* The words are atomic: 1 = freed by a thread that is not the owner. Use slab_remote_bits. */
    uint64_t inline_remote_bits[SLAB_INLINE_WORDS];
};

HAK_STATIC_ASSERT(sizeof(struct slab) == REGION_DESCRIPTOR_BYTES, "a slab is what a region stores a chunk");
HAK_STATIC_ASSERT(offsetof(struct slab, control) == (size_t)2 * HAK_CACHE_LINE,
                  "owner and others write different lines");

/* The chunk that the slab begins at: the one of its descriptor. */
HAK_ALWAYS_INLINE unsigned slab_chunk(const struct slab *slab) {
    return (unsigned)((const struct region_descriptor *)slab - region_of(slab)->descriptors);
}

/* Address of its first byte. */
HAK_ALWAYS_INLINE uintptr_t slab_base(const struct slab *slab) {
    return (uintptr_t)region_chunk_address(region_of(slab), slab_chunk(slab));
}

/* The bits of a slab of the class. */
HAK_ALWAYS_INLINE uint64_t *slab_free_bits(const struct slab *slab, unsigned class_index) {
    return hak_classes[class_index].bitmap_words <= SLAB_INLINE_WORDS ? ((struct slab *)slab)->inline_free_bits
                                                                      : region_of(slab)->free_bits[slab_chunk(slab)];
}

HAK_ALWAYS_INLINE uint64_t *slab_remote_bits(const struct slab *slab, unsigned class_index) {
    return hak_classes[class_index].bitmap_words <= SLAB_INLINE_WORDS ? ((struct slab *)slab)->inline_remote_bits
                                                                      : region_of(slab)->remote_bits[slab_chunk(slab)];
}

/* Where in the slab block 0 lies, in blocks: in one of the slab's first 16 pages, or the first block behind that page's
 * start. The others follow it, and go on at the slab's start where they come to its end. Blocks are taken from block 0 on, and
 * slabs begin at multiples of 16 pages: if all were used from there on, the pages in use would meet in a few sets of a TLB,
 * and the low bits of an address were the same in each run. By the address alone, which no write to the descriptor changes. */
HAK_ALWAYS_INLINE uint32_t slab_turn(uintptr_t base, const struct hak_class *constants) {
    /* By the golden ratio (Knuth, The Art of Computer Programming 3, 6.4), so that slabs side by side differ. */
    const uint32_t page = (uint32_t)(base >> HAK_CHUNK_SHIFT) * 0x9e3779b1u >> 28;
    const uint64_t offset = (page << 12) + constants->block_size - 1;
    const uint32_t place = (uint32_t)(offset * constants->reciprocal >> HAK_RECIPROCAL_SHIFT);
    return place < constants->blocks ? place : 0;
}

/* From the index of a block to its place, and back. */
HAK_ALWAYS_INLINE uint32_t slab_place_of(uint32_t block, uint32_t turn, const struct hak_class *constants) {
    const uint32_t place = block + turn;
    return place < constants->blocks ? place : place - constants->blocks;
}

HAK_ALWAYS_INLINE uint32_t slab_block_at(uint32_t place, uint32_t turn, const struct hak_class *constants) {
    return place >= turn ? place - turn : place + (constants->blocks - turn);
}

HAK_ALWAYS_INLINE uintptr_t slab_block_address(uintptr_t base, uint32_t block, const struct hak_class *constants) {
    return base + (uintptr_t)slab_place_of(block, slab_turn(base, constants), constants) * constants->block_size;
}

/* Where a pointer lies. */
struct slab_position {
    struct slab *slab;
    uintptr_t base;  /* of the slab */
    uint32_t turn;   /* slab_turn */
    uint32_t block;  /* index in the slab */
    uint32_t offset; /* bytes behind the start of the block */
};

/* The slab that p's chunk belongs to. pre: p's chunk is of a class other than 0 */
HAK_ALWAYS_INLINE struct slab *slab_of(const void *p) {
    struct region *region = region_of(p);
    /* Relaxed: written before any block of the span was handed out. */
    return (struct slab *)&region->descriptors[hak_load_relaxed(&region->span_first[region_chunk_of(p)])];
}

/* Finds the block that p lies in; no other code computes that. false if p lies in the unused end of a slab. pre: p's
 * chunk is of class class_index, not 0 */
HAK_ALWAYS_INLINE bool slab_locate(const void *p, unsigned class_index, struct slab_position *out) {
    const struct hak_class *constants = &hak_classes[class_index];
    struct region *region = region_of(p);
    /* Relaxed: written before any block of the span was handed out. */
    unsigned first = hak_load_relaxed(&region->span_first[region_chunk_of(p)]);
    uintptr_t base = (uintptr_t)region + (uintptr_t)first * HAK_CHUNK_BYTES;
    uint32_t offset = (uint32_t)((uintptr_t)p - base);
    uint32_t place = (uint32_t)((uint64_t)offset * constants->reciprocal >> HAK_RECIPROCAL_SHIFT);
    out->slab = (struct slab *)&region->descriptors[first];
    out->base = base;
    out->turn = slab_turn(base, constants);
    out->block = slab_block_at(place, out->turn, constants);
    out->offset = offset - place * constants->block_size;
    /* The second test is for slabs of one block, whose place is 0 at every offset. */
    return place < constants->blocks && out->offset < constants->block_size;
}

/* Whether the block at that position is free in its slab. pre: slab_locate found it, with this class */
HAK_ALWAYS_INLINE bool slab_has_free(const struct slab_position *position, unsigned class_index) {
    const uint32_t word = position->block / 64;
    /* Relaxed: both bits of a block that is not free are 0, and were before it was handed out. */
    const uint64_t bits = hak_load_relaxed(&slab_free_bits(position->slab, class_index)[word]) |
                          hak_load_relaxed(&slab_remote_bits(position->slab, class_index)[word]);
    return (bits >> position->block % 64 & 1) != 0;
}

/* Makes a slab of the class with all blocks free, owned by thread number `owner`. NULL: no memory */
struct slab *hak_slab_create(unsigned class_index, uint32_t owner);

/* Takes a PARTIAL slab of the class, from the fullest list that is not empty, for thread number `owner`, and drains it.
 * NULL: there is none */
struct slab *hak_slab_claim(unsigned class_index, uint32_t owner);

/* The functions below take the slab's class from their caller: pre: class_index is the slab's. */

/* Takes up to `wanted` blocks, those of the lowest index first, and stores them in slots[0..n) so that popping from
 * slots[n - 1] down gives ascending indexes, and ascending addresses but for one step. *zeroed: all of them read zero.
 * Returns n. Called by the owner. pre: free_count > 0 */
uint32_t hak_slab_take(struct slab *slab, unsigned class_index, void **slots, uint32_t wanted, bool *zeroed);

/* Moves the blocks that other threads freed into free_bits. Returns how many. Called by the owner. Reports a block that
 * its owner and another thread freed at the same moment. */
uint32_t hak_slab_drain(struct slab *slab, unsigned class_index);

/* As hak_slab_drain, but only if other threads freed enough and the slab has blocks that were never given out: reusing
 * freed blocks keeps their memory from becoming resident. Called by the owner. */
void hak_slab_drain_before_fresh(struct slab *slab, unsigned class_index);

/* Gives up ownership. The slab becomes FULL, PARTIAL or EMPTY, and the caller must not access it again. Called by the
 * owner. */
void hak_slab_detach(struct slab *slab, unsigned class_index);

/* As hak_slab_detach, but only if every block is free. Returns whether it detached. Called by the owner. */
bool hak_slab_release_if_empty(struct slab *slab, unsigned class_index);

/* Frees blocks[0..count) of one class on behalf of thread number `self`, and reports misuse. Returns how many belong to
 * slabs that `self` does not own. Thread-safe. */
uint32_t hak_slab_free_blocks(uint32_t self, unsigned class_index, void *const *blocks, uint32_t count);

/* Whether p is the start of a block of the class that is not free in its slab; the block may be in a magazine. If not,
 * *wrong says what is wrong. Thread-safe. pre: p's chunk was of the class when p was freed */
bool hak_slab_is_taken(const void *p, unsigned class_index, enum hak_misuse *wrong);

/* Counts the free blocks in free_bits and remote_bits. Exact only while no thread frees or takes blocks.
 * Thread-safe. */
uint32_t hak_slab_count_free(const struct slab *slab, unsigned class_index);

enum slab_state hak_slab_state_of(const struct slab *slab);

/* As hak_slab_state_of, and stores the class that the slab had at that moment. Thread-safe. */
enum slab_state hak_slab_state_and_class(const struct slab *slab, unsigned *class_index);

/* Returns to the kernel the pages that hold only free blocks. Returns their bytes. Called by the thread that has the
 * slab OWNED. */
size_t hak_slab_purge_free_pages(struct slab *slab, unsigned class_index, const struct decay_pass *pass);

/* Asserts the invariants above. Called by the owner while no other thread frees. */
void hak_slab_check(const struct slab *slab, unsigned class_index);

#endif
