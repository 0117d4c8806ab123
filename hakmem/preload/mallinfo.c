/* SPDX-License-Identifier: MIT */
/* What the heap holds, in glibc's four forms: mallinfo, mallinfo2, malloc_stats, malloc_info.
 *
 * All figures come from the statistics, which count; they agree with each other while no other thread
 * allocates. glibc's words, and what they stand for here:
 *
 *     arena            slabs and what waits to be purged: the bytes that are neither huge blocks nor metadata
 *     uordblks         live blocks but huge ones, at the size of their class
 *     fordblks         the rest of arena: free blocks of slabs and magazines, free spans and mappings not purged
 *     fast (fsmblks)   free blocks in magazines; smblks is their number
 *     rest, ordblks    all other free memory, that not purged counting as one block, as glibc's top does
 *     keepcost         bytes not purged yet: what malloc_trim gives back at least
 *     mmap (hblks)     huge blocks; hblkhd is their bytes
 *
 *     arena == uordblks + fordblks, fordblks == fsmblks + rest >= fsmblks + keepcost
 *
 * usmblks is 0, as in glibc. The maxima of malloc_stats are those of huge blocks over time. malloc_info's maximum of the
 * system is the most that slabs and huge blocks ever held together, or what is there now where that is more: free chunks
 * that wait to be purged are in the latter only. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#include "hakmem/base/atomic.h"
#include "hakmem/hakmem.h"
#include "hakmem/preload/preload.h"
#include "hakmem/size_class/size_class.h"

#ifdef __GLIBC__ /* no other C library has these functions */

static struct mallinfo2 report_info(const struct hak_stats *stats) {
    const uint64_t in_use = stats->tiny.live_bytes + stats->l2.live_bytes + stats->l25.live_bytes;
    const uint64_t free_bytes = stats->magazine_bytes + stats->slab_free_bytes + stats->decaying_bytes;
    return (struct mallinfo2){
        .arena = in_use + free_bytes,
        .ordblks = stats->slab_free_blocks + (stats->decaying_bytes != 0),
        .smblks = stats->tiny.cached_blocks + stats->l2.cached_blocks + stats->l25.cached_blocks,
        .hblks = stats->huge.live_blocks,
        .hblkhd = stats->huge.live_bytes,
        .fsmblks = stats->magazine_bytes,
        .uordblks = in_use,
        .fordblks = free_bytes,
        .keepcost = stats->decaying_bytes,
    };
}

PRELOAD_API struct mallinfo2 mallinfo2(void) {
    struct hak_stats stats;
    hak_stats_get(&stats);
    return report_info(&stats);
}

/* The same in fields that are too small: they wrap around, as glibc's do. */
PRELOAD_API struct mallinfo mallinfo(void) {
    const struct mallinfo2 info = mallinfo2();
    return (struct mallinfo){
        .arena = (int)info.arena,
        .ordblks = (int)info.ordblks,
        .smblks = (int)info.smblks,
        .hblks = (int)info.hblks,
        .hblkhd = (int)info.hblkhd,
        .fsmblks = (int)info.fsmblks,
        .uordblks = (int)info.uordblks,
        .fordblks = (int)info.fordblks,
        .keepcost = (int)info.keepcost,
    };
}

/* Written out, because to name mallinfo, which the headers call deprecated, is a warning. */
extern struct mallinfo __libc_mallinfo(void) __attribute__((visibility("default"), nothrow, leaf, alias("mallinfo")));

/* Bytes of what malloc_stats writes, with the largest figures. */
#define REPORT_BYTES 512

/* No cancellation point, as glibc's is none, though stdio's functions are. Put together first: for a stream without a buffer, as this is
 * mostly, fprintf takes 8 KiB of the stack. */
PRELOAD_API void malloc_stats(void) {
    struct hak_stats stats;
    char text[REPORT_BYTES];
    int cancel_state;
    hak_stats_get(&stats);
    const struct mallinfo2 info = report_info(&stats);
    (void)snprintf(text, sizeof text,
                   "Arena 0:\n"
                   "system bytes     = %10zu\n"
                   "in use bytes     = %10zu\n"
                   "Total (incl. mmap):\n"
                   "system bytes     = %10zu\n"
                   "in use bytes     = %10zu\n"
                   "max mmap regions = %10ju\n"
                   "max mmap bytes   = %10ju\n",
                   info.arena, info.uordblks, info.arena + info.hblkhd, info.uordblks + info.hblkhd,
                   (uintmax_t)stats.huge_blocks_most, (uintmax_t)stats.huge_bytes_most);
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    (void)fputs(text, stderr);
    (void)pthread_setcancelstate(cancel_state, &cancel_state);
}

/* Free blocks of each class. Not whole statistics of classes, which would take half of the smallest stack that a thread may have. */
struct report_sizes {
    uint64_t free_blocks[HAK_CLASS_COUNT];
};

static void report_count(struct report_sizes *sizes, const struct hak_class_stats *classes) {
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        sizes->free_blocks[class_index] = classes[class_index].free_blocks + classes[class_index].cached_blocks;
    }
}

static HAK_NOINLINE void report_read_on_stack(struct hak_stats *stats, struct report_sizes *sizes) {
    struct hak_class_stats classes[HAK_CLASS_COUNT];
    (void)hak_stats_get_classes(stats, classes, HAK_CLASS_COUNT);
    report_count(sizes, classes);
}

/* In static storage; on the stack where another call has that, as in observe/stats.c. */
static void report_read(struct hak_stats *stats, struct report_sizes *sizes) {
    static struct hak_class_stats classes[HAK_CLASS_COUNT]; /* who has set is_taken */
    static uint32_t is_taken;                               /* atomic */
    uint32_t was_taken = 0;
    /* Acquire-release: pairs with the release below. */
    if (!hak_compare_exchange_acq_rel(&is_taken, &was_taken, 1u)) {
        report_read_on_stack(stats, sizes);
        return;
    }
    (void)hak_stats_get_classes(stats, classes, HAK_CLASS_COUNT);
    report_count(sizes, classes);
    /* Release: pairs with the exchange of the next one. */
    hak_store_release(&is_taken, 0u);
}

/* A line a class that has free blocks. */
static void report_classes(const struct report_sizes *sizes, FILE *file) {
    fputs("<sizes>\n", file);
    size_t smaller = 0;
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        const size_t block_size = hak_classes[class_index].block_size;
        const uint64_t count = sizes->free_blocks[class_index];
        if (count != 0) {
            fprintf(file, "  <size from=\"%zu\" to=\"%zu\" total=\"%ju\" count=\"%ju\"/>\n", smaller + 1, block_size,
                    (uintmax_t)(count * block_size), (uintmax_t)count);
        }
        smaller = block_size;
    }
    fputs("</sizes>\n", file);
}

static void report_free(const struct mallinfo2 *info, FILE *file) {
    fprintf(file,
            "<total type=\"fast\" count=\"%zu\" size=\"%zu\"/>\n"
            "<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n",
            info->smblks, info->fsmblks, info->ordblks, info->fordblks - info->fsmblks);
}

static void report_system(const struct mallinfo2 *info, size_t most, FILE *file) {
    fprintf(file,
            "<system type=\"current\" size=\"%zu\"/>\n"
            "<system type=\"max\" size=\"%zu\"/>\n"
            "<aspace type=\"total\" size=\"%zu\"/>\n"
            "<aspace type=\"mprotect\" size=\"%zu\"/>\n",
            info->arena, most > info->arena ? most : info->arena, info->arena, info->arena);
}

/* All slabs are one heap. Everything is read before anything is written, because writing may allocate. */
PRELOAD_API int malloc_info(int options, FILE *file) {
    if (options != 0) {
        return EINVAL;
    }
    struct hak_stats stats;
    struct report_sizes sizes;
    report_read(&stats, &sizes);
    const struct mallinfo2 info = report_info(&stats);
    fputs("<malloc version=\"1\">\n<heap nr=\"0\">\n", file);
    report_classes(&sizes, file);
    report_free(&info, file);
    report_system(&info, (size_t)stats.held_bytes_most, file);
    fputs("</heap>\n", file);
    report_free(&info, file);
    fprintf(file, "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n", info.hblks, info.hblkhd);
    report_system(&info, (size_t)stats.held_bytes_most, file);
    fputs("</malloc>\n", file);
    return 0;
}

#endif
