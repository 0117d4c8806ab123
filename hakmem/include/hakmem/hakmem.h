/* SPDX-License-Identifier: MIT */
/* hakmem: a memory allocator with bitmaps, ownership and exact statistics.
 *
 * Thread safety: every function may be called from any thread at any time, also while a thread ends.
 * None is async-signal-safe. A block may be freed by any thread.
 *
 * Alignment: a block of 16 bytes or more is aligned to 16 where its size class is a multiple of 16, which
 * holds for every class of the spacings `pow2` and `fine16`; `fine` also has classes that are multiples of 8
 * only, so ask hak_aligned_alloc for more than 8 there. Builds with guard align every block to 16.
 *
 * Misuse (freeing a pointer that hakmem did not give out, or twice) is found at the latest when the block
 * goes back to its slab; in builds with guard by the call itself, and there a size that hak_free_sized is told has to be
 * of the block's class. It is reported in one line on standard error, then the process aborts, unless the
 * environment says HAKMEM_ON_MISUSE=report (the line only) or ignore (nothing). */
#ifndef HAKMEM_HAKMEM_H
#define HAKMEM_HAKMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HAK_API __attribute__((visibility("default")))

/* ---- Allocation -------------------------------------------------------------------------------------- */

/* A block of at least `size` bytes, uninitialised. size 0 gives a block of its own that can be freed.
 * NULL with errno ENOMEM where the system has no memory or size is above PTRDIFF_MAX. */
HAK_API void *hak_alloc(size_t size);

/* hak_alloc, counted under `site`: any address that names the caller, say a return address or the address
 * of a string. NULL counts as a site too. Counts are read with hak_site_get_stats. */
HAK_API void *hak_alloc_at(size_t size, const void *site);

/* A block for `count` elements of `size` bytes, all zero. NULL with ENOMEM where the product overflows. */
HAK_API void *hak_calloc(size_t count, size_t size);

/* The block p grown or shrunk to `size` bytes, its content kept up to the smaller of the two sizes; the
 * result may be p itself. p NULL: hak_alloc(size). size 0: frees p and returns NULL.
 * NULL with ENOMEM where there is no memory; p then stays as it was. */
HAK_API void *hak_realloc(void *p, size_t size);

/* A block of at least `size` bytes at a multiple of `alignment`, a power of two up to 4 GiB.
 * NULL with errno EINVAL for any other alignment, ENOMEM where there is no memory. */
HAK_API void *hak_aligned_alloc(size_t alignment, size_t size);

/* Gives a block back. NULL is allowed. errno is kept. */
HAK_API void hak_free(void *p);

/* hak_free by a caller who knows the size it asked hak_alloc, hak_calloc or hak_realloc for last; a size that does not fit
 * the block is misuse. */
HAK_API void hak_free_sized(void *p, size_t size);

/* ---- Questions --------------------------------------------------------------------------------------- */

/* Bytes that may be used in p's block: at least the size asked for, constant for the block's life.
 * 0 for NULL and for a pointer that is not the start of a block. */
HAK_API size_t hak_usable_size(const void *p);

enum hak_pool { HAK_POOL_NONE, HAK_POOL_TINY, HAK_POOL_L2, HAK_POOL_L25, HAK_POOL_HUGE };

enum hak_slab_state {
    HAK_SLAB_NONE,   /* huge blocks have no slab */
    HAK_SLAB_OWNED,  /* one thread may change its bitmap without atomics */
    HAK_SLAB_FULL,   /* nobody owns it, hardly any block is free */
    HAK_SLAB_PARTIAL /* nobody owns it, any thread may take it */
};

struct hak_owner_info {
    void *block;       /* start of the block that p lies in */
    size_t block_size; /* bytes */
    enum hak_pool pool;
    unsigned class_index; /* within all pools; 0 for huge */
    enum hak_slab_state state;
    uint64_t thread; /* the owning thread's number, from 1; 0: nobody owns the slab */
};

/* What p, any address, belongs to. false (and *info untouched) where it is not hakmem's. The answer is a
 * snapshot; it says nothing about whether the block is live. */
HAK_API bool hak_owner(const void *p, struct hak_owner_info *info);

/* ---- Memory back to the system ----------------------------------------------------------------------- */

/* Gives everything that the calling thread caches (magazines, owned slabs) back to the common pools. */
HAK_API void hak_thread_flush(void);

/* hak_thread_flush for a thread that is going to wait: most of what held its magazines goes back to the system as well. For
 * loops that know when they have nothing to do. The next calls take some microseconds more, once for each size class. */
HAK_API void hak_thread_idle(void);

/* hak_thread_flush, then returns all unused memory to the system now. Result: bytes returned. */
HAK_API size_t hak_trim(void);

/* ---- Statistics -------------------------------------------------------------------------------------- */

/* One class. Counts are exact whenever no thread is inside an allocation call; with P1 off `allocations` is
 * an estimate from one sample in 16 and `frees` follows from it and the live blocks. */
struct hak_class_stats {
    size_t block_size;      /* bytes */
    uint64_t allocations;   /* blocks given out since the start */
    uint64_t frees;         /* blocks taken back since the start */
    uint64_t live_blocks;   /* allocated and not freed, counted from bitmaps and magazines */
    uint64_t live_bytes;    /* live_blocks * block_size */
    uint64_t cached_blocks; /* free blocks in magazines */
    uint64_t free_blocks;   /* free blocks of its slabs, without those in magazines */
    uint64_t slabs;         /* slabs of this class now */
    uint64_t slabs_owned;   /* of these, by state; a slab that just changes it is counted once or not at all */
    uint64_t slabs_full;
    uint64_t slabs_partial;
};

/* The classes of one pool, summed. */
struct hak_pool_stats {
    uint64_t allocations;
    uint64_t frees;
    uint64_t live_blocks;
    uint64_t live_bytes;
    uint64_t cached_blocks;
    uint64_t cached_bytes; /* their bytes */
    uint64_t free_blocks;
    uint64_t free_bytes; /* their bytes */
    uint64_t slabs;
    uint64_t slabs_owned;
    uint64_t slabs_full;
    uint64_t slabs_partial;
};

struct hak_stats {
    struct hak_pool_stats tiny, l2, l25, huge;
    bool exact; /* allocations and frees are counted, not estimated: P1 is on, and counts=exchange */
    bool quiet; /* no other thread allocated or freed while this was read: all figures are of one moment, and
                 * allocations - frees == live_blocks. Never true with P3 off */

    uint64_t threads;      /* that have allocated and not ended */
    uint64_t exchanges;    /* magazine swaps, refills and flushes */
    uint64_t remote_frees; /* blocks freed to a slab that the freeing thread does not own */

    /* Where memory is, in bytes. resident <= the sum of live_bytes, magazine_bytes, slab_free_bytes, metadata_bytes and
     * decaying_bytes. */
    uint64_t held_bytes;       /* in slabs and huge blocks: slab_bytes + huge.live_bytes when quiet */
    uint64_t held_bytes_most;  /* the most of that at any one time: live bytes were never more */
    uint64_t slab_bytes;       /* in slabs: their blocks, live, cached and free, and what does not fit a block */
    uint64_t slab_free_bytes;  /* free blocks of slabs that also hold a live or cached block */
    uint64_t slab_free_blocks; /* their number */
    uint64_t slabs_empty;      /* chunks (64 KiB) of slabs whose last block was freed, not purged yet */
    uint64_t magazine_bytes;   /* free blocks in magazines */
    uint64_t metadata_bytes;   /* region headers, page map, thread records, the shadow: touched at most */
    uint64_t decaying_bytes;   /* free spans and mappings that are not purged yet */
    uint64_t mapped_bytes;     /* address space obtained from the system */
    uint64_t purged_bytes;     /* pages given back since the start whose addresses stayed mapped; huge blocks are
                                * unmapped instead, which lowers mapped_bytes */
    uint64_t huge_blocks_most; /* the most huge blocks that lived at any one time */
    uint64_t huge_bytes_most;  /* the most bytes of huge blocks at any one time */

    uint64_t system_maps; /* calls to the system since the start */
    uint64_t system_unmaps;
    uint64_t system_purges;
    uint64_t system_remaps;
};

/* Fills *stats. Takes locks for a moment; never blocks a thread that allocates from its magazines. */
HAK_API void hak_stats_get(struct hak_stats *stats);

/* Statistics of one class: 1 up to hak_class_count() - 1. Tiny classes come first: the class that hak_tiny_size_to_class
 * calls 0 is 1 here. false (and *stats untouched) where there is no such class. */
HAK_API bool hak_class_get_stats(unsigned class_index, struct hak_class_stats *stats);
HAK_API unsigned hak_class_count(void);

/* hak_stats_get and all classes out of one reading: classes[1] to classes[hak_class_count() - 1], classes[0] is all zero.
 * false (and nothing filled) where `count` is below hak_class_count(). */
HAK_API bool hak_stats_get_classes(struct hak_stats *stats, struct hak_class_stats *classes, unsigned count);

/* One thread that has allocated and not ended. */
struct hak_thread_stats {
    uint64_t number;      /* as hak_owner_info has it; reused after the thread's end */
    uint64_t tid;         /* the kernel's number of it */
    uint64_t allocations; /* its own since it began, without huge blocks; 0 with P1 off */
    uint64_t frees;
    uint64_t cached_blocks;  /* free blocks in its magazines */
    uint64_t magazine_bytes; /* their bytes */
    uint64_t exchanges;
    uint64_t remote_frees;
};

/* Fills threads[0] to threads[capacity - 1] as far as there are so many. Result: how many there are. */
HAK_API size_t hak_stats_get_threads(struct hak_thread_stats *threads, size_t capacity);

enum hak_stats_format { HAK_STATS_TEXT, HAK_STATS_JSON, HAK_STATS_PROMETHEUS };

/* Writes all statistics to a file descriptor: tables for people, one JSON object in one line (its schema is
 * hakmem/observe/stats.schema.json), or Prometheus' text format. Neither allocates nor uses stdio.
 * 0, EINVAL for another format, or what write(2) failed with. */
HAK_API int hak_stats_write(int fd, enum hak_stats_format format);

struct hak_site_stats {
    uint64_t allocations; /* calls of hak_alloc_at with this site that succeeded */
    uint64_t bytes;       /* sum of the sizes asked for */
};

/* Counts of one site; false where hak_alloc_at never saw it, or where its table (4,096 sites) was full. */
HAK_API bool hak_site_get_stats(const void *site, struct hak_site_stats *stats);

/* ---- Sampling profile -------------------------------------------------------------------------------- */

/* Starts to sample, or goes on at another rate: one sample in `rate` bytes on average, a block of n bytes with probability
 * 1 - exp(-n / rate), independently of all others; 0 means 524,288 and 1 every block. At 524,288, and at no other rate, a
 * thread whose samples cost it more than about a hundredth of its time takes fewer of them, and each counts for more blocks.
 * What other threads have in magazines by then is given out unsampled. What was sampled before is kept, with the rate that it was sampled at.
 * The environment does the same by HAKMEM_PROFILE, and `hakmem profile PID --on` from outside. 0; EINVAL: rate is above 2^40;
 * ENOTSUP: a build with guard=full, which has no profile; ENOMEM. */
HAK_API int hak_profile_start(size_t rate);

/* Samples no more. Blocks that were sampled are still seen when they are freed. */
HAK_API void hak_profile_stop(void);

/* Writes all allocations and the live blocks, by path of calls, to a file: in pprof's format (protocol buffer, gzip), or as
 * text for google-pprof where the path ends in ".heap". Allocates nothing. Where /proc/self/maps cannot be read, a warning on
 * standard error says so, and the addresses stand without their files. 0, or an errno value; ENODATA: the profile was never
 * started. */
HAK_API int hak_profile_write(const char *path);

struct hak_profile_entry {
    const void *site;        /* an address within the call, or what hak_alloc_at was given */
    const uint64_t *callers; /* addresses within the calls that led there, innermost first; they stay valid */
    size_t caller_count;     /* at most HAKMEM_PROFILE_FRAMES; 0 where the callers are not known */
    bool is_cut;             /* there are more callers than HAKMEM_PROFILE_FRAMES */
    bool is_open;            /* the callers of the last one are not known: it has no unwind table */
    size_t block_size;       /* bytes */
    uint64_t allocations;    /* samples: blocks of this size from this path of calls */
    uint64_t live;           /* of these, not freed */
    double scale;            /* blocks a sample stands for: count * scale is an unbiased estimate */
    uint64_t thread;         /* that allocated, as in hak_owner_info; 0: threads that are not told apart */
    uint64_t asked;          /* bytes that all these samples were asked for, where block_size is what they got */
};

typedef void (*hak_profile_visitor)(const struct hak_profile_entry *entry, void *argument);

/* Calls visit for each path of calls, block size, rate and thread that was sampled. Result: their number. A snapshot. */
HAK_API size_t hak_profile_read(hak_profile_visitor visit, void *argument);

/* A sampled block: what hooks are told. */
struct hak_profile_sample {
    const void *block;       /* its start */
    size_t block_size;       /* bytes of its class, or of the huge block's mapping */
    const void *site;        /* as in hak_profile_entry, and so are the callers */
    const uint64_t *callers; /* they stay valid, and are the same array for each block of this path of calls */
    size_t caller_count;
    bool is_cut;
    bool is_open;
    double scale; /* blocks that this one stands for: 1 / (1 - exp(-block_size / rate)) */
};

/* `sample` is valid during the call. The hook runs in the thread that allocates or frees, which may hold locks of the program
 * and of the C library: take none that is ever held around an allocation. It may allocate and free, and call
 * everything here but hak_profile_set_hooks; its own blocks are sampled, but no hook is called for them while it runs.
 * errno is kept. It returns: neither longjmp nor an exception leaves it. */
typedef void (*hak_profile_hook)(const struct hak_profile_sample *sample, void *argument);

struct hak_profile_hooks {
    hak_profile_hook sampled; /* a block was sampled, which its allocation is about to return; NULL: nobody is told */
    hak_profile_hook freed;   /* a sampled block is about to be freed; its address is another's after the return at the
                               * earliest. Also of blocks that were sampled before the hooks were set, or by a hook */
    void *argument;           /* passed to both */
};

/* Calls these for each sampled block from now on, instead of those that were set before; NULL: none. The hooks may be called
 * by several threads at once, for one block never: `sampled`, then `freed`. A realloc that moves a block allocates one and
 * frees the other; of a huge block it is always told as both, `freed` first, and where the system then refuses to move its
 * pages, `sampled` is told of it once more: it is still live. Starts no profile: hak_profile_start does.
 * When it returns, no thread is in a hook that was set before, and none will be: it waits for them. Not in a signal handler.
 * In the child of a fork the hooks stay, but for those that another thread was just changing, which are gone.
 * 0; EINVAL: both functions are NULL; EDEADLK: called by a hook; ENOTSUP: a build with guard=full, which has no profile. */
HAK_API int hak_profile_set_hooks(const struct hak_profile_hooks *hooks);

/* ---- Every live block -------------------------------------------------------------------------------- */

struct hak_walk_block {
    void *start;
    size_t size; /* bytes of its class, or of the huge block's mapping; with guard full 0 for a block of size 0 */
    enum hak_pool pool;
    unsigned class_index; /* 0 for huge */
    uint64_t thread;      /* that owns its slab; 0: nobody does, or huge */
    const void *site;     /* where it was sampled, of the call that made it, as in hak_profile_entry; else NULL */
};

struct hak_walk_result {
    uint64_t blocks; /* that were passed to visit */
    bool exact;      /* no other thread allocated or freed while the blocks were noted: they are the live ones of
                                * one moment. With guard always: all that were live throughout, and none that was not at all */
};

/* false ends the walk. */
typedef bool (*hak_walk_visitor)(const struct hak_walk_block *block, void *argument);

/* Calls visit for every live block of the process, once each, ascending within a region, until it returns false. All
 * blocks are noted before the first call, and no lock is held during one: visit may allocate and free, also the block
 * that it is given; what it does is not seen by the same walk. Blocks in magazines are free. Any thread; takes a bit
 * of memory for each block while it lasts.
 * 0 or ENOMEM; result is filled where it returns 0, and may be NULL. */
HAK_API int hak_walk(hak_walk_visitor visit, void *argument, struct hak_walk_result *result);

/* ---- Size classes of the tiny pool, public numbering -------------------------------------------------- */

/* Class of a size from 0 to 1024 by comparison chain; -1 above. */
HAK_API int hak_tiny_size_to_class(size_t size);

/* The same by the generated table. */
HAK_API int hak_tiny_size_to_class_fast(size_t size);

/* The slow path of a tiny allocation: what hak_tiny_alloc_hot (hakmem/tiny/tiny_fast.h) falls back to.
 * size is at most 1024; NULL with ENOMEM. */
HAK_API void *hak_tiny_alloc_slow(size_t size);

/* ---- What was built ---------------------------------------------------------------------------------- */

/* The switches that are on, "p0+p2", or "none" where all are off; and the experiments that are not as they ship,
 * "p0+p1+p2+p3+learn=elo". */
HAK_API const char *hak_config_string(void);

/* The class spacing, "pow2", "fine" or "fine16", and the table's granularity in bytes, 1, 8 or 16. */
HAK_API const char *hak_classes_string(void);
HAK_API unsigned hak_table_granularity(void);

/* "MAJOR.MINOR.PATCH". While MAJOR is 0, programs are compiled anew for every MINOR, which the SONAME names: structs may change. */
HAK_API const char *hak_version(void);

#ifdef __cplusplus
}
#endif

#endif
