/* SPDX-License-Identifier: MIT */
/* The tables of fields.h. */
#include "hakmem/observe/fields.h"

#include "hakmem/hakmem.h"

#define ALL(array) \
    { (array), sizeof(array) / sizeof *(array) }

#define COUNTER(type, field, metric, help) \
    { #field, metric, help, offsetof(struct type, field), true }
#define GAUGE(type, field, metric, help) \
    { #field, metric, help, offsetof(struct type, field), false }

/* What a class and a pool have in common. */
#define BLOCKS(type)                                                                                      \
    COUNTER(type, allocations, "hakmem_allocations_total", "Blocks given out since the start"),           \
        COUNTER(type, frees, "hakmem_frees_total", "Blocks taken back since the start"),                  \
        GAUGE(type, live_blocks, "hakmem_live_blocks", "Blocks allocated and not freed"),                 \
        GAUGE(type, live_bytes, "hakmem_live_bytes", "Bytes of live blocks, at the size of their class"), \
        GAUGE(type, cached_blocks, "hakmem_cached_blocks", "Free blocks in threads' magazines"),          \
        GAUGE(type, free_blocks, "hakmem_free_blocks", "Free blocks of slabs, those in magazines apart"), \
        GAUGE(type, slabs, "hakmem_slabs", "Slabs"),                                                      \
        GAUGE(type, slabs_owned, "hakmem_slabs_owned", "Slabs that a thread owns"),                       \
        GAUGE(type, slabs_full, "hakmem_slabs_full", "Slabs that nobody owns, with hardly a free block"), \
        GAUGE(type, slabs_partial, "hakmem_slabs_partial", "Slabs that nobody owns, for any thread to take")

static const struct stats_field pool_fields[] = {
    BLOCKS(hak_pool_stats),
    GAUGE(hak_pool_stats, cached_bytes, "hakmem_pool_cached_bytes", "Bytes of free blocks in magazines"),
    GAUGE(hak_pool_stats, free_bytes, "hakmem_pool_free_bytes", "Bytes of free blocks of slabs"),
};
const struct stats_fields hak_stats_pool_fields = ALL(pool_fields);

static const struct stats_field class_fields[] = {BLOCKS(hak_class_stats)};
const struct stats_fields hak_stats_class_fields = ALL(class_fields);

static const struct stats_field thread_fields[] = {
    COUNTER(hak_thread_stats, allocations, "hakmem_thread_allocations_total", "Blocks given out to the thread"),
    COUNTER(hak_thread_stats, frees, "hakmem_thread_frees_total", "Blocks that the thread freed"),
    GAUGE(hak_thread_stats, cached_blocks, "hakmem_thread_cached_blocks", "Free blocks in the thread's magazines"),
    GAUGE(hak_thread_stats, magazine_bytes, "hakmem_thread_magazine_bytes", "Their bytes"),
    COUNTER(hak_thread_stats, exchanges, "hakmem_thread_exchanges_total", "Magazine exchanges of the thread"),
    COUNTER(hak_thread_stats, remote_frees, "hakmem_thread_remote_frees_total",
            "Blocks that the thread freed to slabs of others"),
};
const struct stats_fields hak_stats_thread_fields = ALL(thread_fields);

static const struct stats_field process_fields[] = {
    GAUGE(hak_stats, threads, "hakmem_threads", "Threads that have allocated and not ended"),
    COUNTER(hak_stats, exchanges, "hakmem_exchanges_total", "Magazine swaps, refills and flushes"),
    COUNTER(hak_stats, remote_frees, "hakmem_remote_frees_total", "Blocks freed to slabs of other threads"),
    GAUGE(hak_stats, held_bytes, "hakmem_held_bytes", "Bytes in slabs and huge blocks"),
    GAUGE(hak_stats, held_bytes_most, "hakmem_held_max_bytes", "The most of them at any one time"),
    GAUGE(hak_stats, slab_bytes, "hakmem_slab_bytes", "Bytes in slabs"),
    GAUGE(hak_stats, slab_free_bytes, "hakmem_slab_free_bytes", "Bytes of free blocks of slabs"),
    GAUGE(hak_stats, slab_free_blocks, "hakmem_slab_free_blocks", "Free blocks of slabs"),
    GAUGE(hak_stats, slabs_empty, "hakmem_slabs_empty_chunks", "Chunks of emptied slabs, not purged yet"),
    GAUGE(hak_stats, magazine_bytes, "hakmem_magazine_bytes", "Bytes of free blocks in magazines"),
    GAUGE(hak_stats, metadata_bytes, "hakmem_metadata_bytes", "Bytes of the allocator's own, touched at most"),
    GAUGE(hak_stats, decaying_bytes, "hakmem_decaying_bytes",
          "Free bytes in whole chunks and mappings, not purged yet"),
    GAUGE(hak_stats, mapped_bytes, "hakmem_mapped_bytes", "Address space obtained from the system"),
    COUNTER(hak_stats, purged_bytes, "hakmem_purged_bytes_total", "Bytes given back whose addresses stayed mapped"),
    GAUGE(hak_stats, huge_blocks_most, "hakmem_huge_max_blocks", "The most huge blocks at any one time"),
    GAUGE(hak_stats, huge_bytes_most, "hakmem_huge_max_bytes", "The most bytes of huge blocks at any one time"),
    COUNTER(hak_stats, system_maps, "hakmem_system_maps_total", "Mappings asked of the system"),
    COUNTER(hak_stats, system_unmaps, "hakmem_system_unmaps_total", "Mappings given back to the system"),
    COUNTER(hak_stats, system_purges, "hakmem_system_purges_total", "Purges of pages"),
    COUNTER(hak_stats, system_remaps, "hakmem_system_remaps_total", "Mappings moved or resized"),
};
const struct stats_fields hak_stats_process_fields = ALL(process_fields);
