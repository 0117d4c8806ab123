/* SPDX-License-Identifier: MIT */
/* See leaks.h.
 *
 *     hakmem: leaks: 4160 bytes in 3 blocks live, from 2 paths; exact
 *     hakmem: leaks:   asked for: 4100 bytes
 *     hakmem: leaks:   of these, nothing reaches 4096 bytes in 2 blocks: 1 block directly, 1 block through others
 *     hakmem: leaks: 4096 bytes in 2 blocks from 0x55d0c8a7e1b3: /usr/bin/true+0x11b3
 *     hakmem: leaks:   asked for: 4040 bytes
 *     hakmem: leaks:   lost: 4096 bytes in 2 blocks: 1 block directly, 1 block through others
 *     hakmem: leaks:   called from 0x55d0c8a7e240: /usr/bin/true+0x1240
 *
 * An address lies within the call; the offset is that behind the start of the file's first mapping. */
#include "hakmem/observe/leaks.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/c_library.h"
#include "hakmem/base/text.h"
#include "hakmem/base/warning.h"
#include "hakmem/observe/lost.h"
#include "hakmem/os/maps.h"
#include "hakmem/os/os.h"
#include "hakmem/sample/chance.h"

struct leak {
    struct profile_record path; /* the first record of the path of calls */
    double bytes, blocks;       /* estimates, as are the next four */
    double asked;               /* bytes that the program asked for: of a path's blocks of one class the mean */
    double lost_bytes, lost_directly, lost_indirectly;
};

/* All that is noted; a mapping. */
struct leaks {
    struct leak paths[PROFILE_RECORDS];
    struct profile_lost lost[PROFILE_RECORDS];
};

/* `scale`: blocks that a sample stands for */
static void leaks_add(struct leak *leak, const struct profile_record *record, const struct profile_lost *lost,
                      double scale) {
    const double bytes = (double)record->size * scale;
    const uint64_t live = record->allocations - record->frees;
    leak->blocks += (double)live * scale;
    leak->bytes += (double)live * bytes;
    leak->asked += (double)live * scale * (double)record->asked / (double)record->allocations;
    leak->lost_directly += lost->directly * scale;
    leak->lost_indirectly += lost->indirectly * scale;
    leak->lost_bytes += ((double)lost->directly + lost->indirectly) * bytes;
}

/* The live blocks of each path. Result: the number of paths */
static uint32_t leaks_gather(const struct hak_profile_table *table, struct leaks *all) {
    struct leak *leaks = all->paths;
    uint32_t count = 0;
    for (uint32_t index = 0; index < hak_record_count(table); index++) {
        const struct profile_record record = hak_record_read(table, index);
        if (record.allocations == record.frees || count == PROFILE_RECORDS) {
            continue;
        }
        /* A path's records need not follow each other, but there are few between them. They share what they say of callers. */
        uint32_t at = count;
        while (at > 0 && (leaks[at - 1].path.site != record.site || leaks[at - 1].path.callers != record.callers)) {
            at--;
        }
        if (at == 0) {
            at = ++count;
            leaks[at - 1] = (struct leak){.path = record};
        }
        leaks_add(&leaks[at - 1], &record, &all->lost[index], 1 / hak_chance_of(record.size, record.rate));
    }
    return count;
}

static bool leaks_is_before(const struct leak *one, const struct leak *other) {
    return one->lost_bytes != other->lost_bytes ? one->lost_bytes > other->lost_bytes : one->bytes > other->bytes;
}

/* Most lost bytes first, then most bytes. Shell's sort with gaps by thirds: some thousand paths at most, and no memory. */
static void leaks_sort(struct leak *leaks, uint32_t count) {
    for (uint32_t gap = count / 3 + 1;; gap = gap / 3 + 1) {
        for (uint32_t i = gap; i < count; i++) {
            const struct leak leak = leaks[i];
            uint32_t at = i;
            for (; at >= gap && leaks_is_before(&leak, &leaks[at - gap]); at -= gap) {
                leaks[at] = leaks[at - gap];
            }
            leaks[at] = leak;
        }
        if (gap == 1) {
            return;
        }
    }
}

/* "1 block", "2 blocks" */
static void leaks_number(struct hak_text *line, uint64_t count, const char *thing) {
    hak_text_add_decimal(line, count);
    hak_text_add(line, " ");
    hak_text_add(line, thing);
    hak_text_add(line, count == 1 ? "" : "s");
}

/* "1 byte in 1 block" */
static void leaks_amount(struct hak_text *line, double bytes, double blocks) {
    leaks_number(line, (uint64_t)(bytes + 0.5), "byte");
    hak_text_add(line, " in ");
    leaks_number(line, (uint64_t)(blocks + 0.5), "block");
}

static void leaks_line_start(struct hak_text *line, double bytes, double blocks) {
    hak_text_add(line, "hakmem: leaks: ");
    leaks_amount(line, bytes, blocks);
}

/* The functions that write a line, here and below, are not inlined: a handler that ends the process may run on a stack of 8 KiB,
 * which has no room for two lines at once. */

/* Of a path, or the sum; nothing where it is what the blocks take. */
HAK_NOINLINE static void leaks_write_asked(const struct leak *leak, int descriptor) {
    const uint64_t asked = (uint64_t)(leak->asked + 0.5);
    if (asked != (uint64_t)(leak->bytes + 0.5)) {
        TEXT_LINE(line);
        hak_text_add(&line, "hakmem: leaks:   asked for: ");
        leaks_number(&line, asked, "byte");
        hak_text_write_line(&line, descriptor);
    }
}

/* A path's, or the sum. */
HAK_NOINLINE static void leaks_write_lost(const struct leak *leak, const char *what, int descriptor) {
    TEXT_LINE(line);
    hak_text_add(&line, "hakmem: leaks:   ");
    hak_text_add(&line, what);
    leaks_amount(&line, leak->lost_bytes, leak->lost_directly + leak->lost_indirectly);
    hak_text_add(&line, ": ");
    leaks_number(&line, (uint64_t)(leak->lost_directly + 0.5), "block");
    hak_text_add(&line, " directly, ");
    leaks_number(&line, (uint64_t)(leak->lost_indirectly + 0.5), "block");
    hak_text_add(&line, " through others");
    hak_text_write_line(&line, descriptor);
}

static void leaks_add_dropped(struct hak_text *line, uint64_t count, const char *what) {
    if (count != 0) {
        hak_text_add(line, ", and ");
        leaks_number(line, count, "sample");
        hak_text_add(line, what);
    }
}

/* How far the numbers are to be trusted. Relaxed, all: a snapshot. */
static void leaks_add_trust(struct hak_text *line, const struct hak_profile_table *table) {
    const uint64_t rate = hak_load_relaxed(&table->rate);
    const bool is_whole = hak_load_relaxed(&table->is_whole) != 0;
    if (rate == 1 && is_whole) {
        hak_text_add(line, "exact");
    } else if (rate == 1) {
        hak_text_add(line, "of the blocks that were sampled");
    } else {
        hak_text_add(line, "estimated from a sample every ");
        leaks_number(line, rate, "byte");
    }
    if (!is_whole) {
        hak_text_add(line, ", but the profile was switched while the program ran");
    }
    leaks_add_dropped(line, hak_load_relaxed(&table->dropped), " lost for want of memory");
    leaks_add_dropped(line, hak_load_relaxed(&table->shortened), " without callers, since their table is full");
}

static struct leak leaks_sum(const struct leak *leaks, uint32_t count) {
    struct leak sum = {0};
    for (uint32_t i = 0; i < count; i++) {
        sum.bytes += leaks[i].bytes;
        sum.blocks += leaks[i].blocks;
        sum.asked += leaks[i].asked;
        sum.lost_bytes += leaks[i].lost_bytes;
        sum.lost_directly += leaks[i].lost_directly;
        sum.lost_indirectly += leaks[i].lost_indirectly;
    }
    return sum;
}

HAK_NOINLINE static void leaks_write_heading(const struct hak_profile_table *table, const struct leak *sum,
                                             uint32_t count, int descriptor) {
    TEXT_LINE(line);
    leaks_line_start(&line, sum->bytes, sum->blocks);
    hak_text_add(&line, " live, from ");
    leaks_number(&line, count, "path");
    hak_text_add(&line, "; ");
    leaks_add_trust(&line, table);
    hak_text_write_line(&line, descriptor);
}

static void leaks_write_sum(const struct hak_profile_table *table, const struct leak *leaks, uint32_t count,
                            bool knows_lost, int descriptor) {
    const struct leak sum = leaks_sum(leaks, count);
    leaks_write_heading(table, &sum, count, descriptor);
    leaks_write_asked(&sum, descriptor);
    if (knows_lost) {
        leaks_write_lost(&sum, "of these, nothing reaches ", descriptor);
    }
}

static void leaks_add_place(struct hak_text *line, const struct maps *maps, uint64_t address) {
    hak_text_add_address(line, address);
    hak_maps_add_module(line, maps, address);
}

HAK_NOINLINE static void leaks_write_call(const struct leak *leak, const struct maps *maps, int descriptor) {
    TEXT_LINE(line);
    leaks_line_start(&line, leak->bytes, leak->blocks);
    hak_text_add(&line, " from ");
    leaks_add_place(&line, maps, leak->path.site);
    hak_text_write_line(&line, descriptor);
}

HAK_NOINLINE static void leaks_write_caller(uint64_t address, const struct maps *maps, int descriptor) {
    TEXT_LINE(line);
    hak_text_add(&line, "hakmem: leaks:   called from ");
    leaks_add_place(&line, maps, address);
    hak_text_write_line(&line, descriptor);
}

HAK_NOINLINE static void leaks_write_further(const struct leak *leak, int descriptor) {
    TEXT_LINE(line);
    hak_text_add(&line, "hakmem: leaks:   and further callers, which ");
    hak_text_add(&line, record_is_cut(&leak->path) ? "HAKMEM_PROFILE_FRAMES leaves out"
                                                   : "are not known: the last one has no unwind table");
    hak_text_write_line(&line, descriptor);
}

static void leaks_write(const struct hak_profile_table *table, const struct leak *leak, const struct maps *maps,
                        int descriptor) {
    leaks_write_call(leak, maps, descriptor);
    leaks_write_asked(leak, descriptor);
    if (leak->lost_bytes != 0) {
        leaks_write_lost(leak, "lost: ", descriptor);
    }
    for (uint32_t i = 0; i < record_caller_count(&leak->path); i++) {
        leaks_write_caller(record_callers(table, &leak->path)[i], maps, descriptor);
    }
    if (record_is_cut(&leak->path) || record_is_open(&leak->path)) {
        leaks_write_further(leak, descriptor);
    }
}

void hak_leaks_report(const struct hak_profile_table *table, bool finds_lost, int descriptor) {
    const size_t bytes = bits_round_up(sizeof(struct leaks), hak_os_page_size());
    struct maps maps;
    void *memory;
    if (hak_os_map(bytes, hak_os_page_size(), &memory) != 0) {
        hak_report_warning_to(descriptor, "no memory for the list of leaks", NULL, NULL);
        return;
    }
    struct leaks *leaks = memory;
    const int maps_error = hak_maps_read(&maps); /* then there are none */
    if (maps_error != 0) {
        hak_report_warning_to(descriptor,
                              "it cannot be read, and the list of leaks does not say which files its calls are in",
                              "/proc/self/maps", c_library_error_text(maps_error));
    }
    const int error = finds_lost ? hak_lost_find(leaks->lost, !os_has_threads()) : 0;
    if (error != 0) {
        hak_report_warning_to(descriptor, "it is not known which of the leaks are lost, the memory cannot be read",
                              NULL, hak_os_file_problem(error));
    }
    const uint32_t count = leaks_gather(table, leaks);
    leaks_sort(leaks->paths, count);
    leaks_write_sum(table, leaks->paths, count, finds_lost && error == 0, descriptor);
    for (uint32_t i = 0; i < count; i++) {
        leaks_write(table, &leaks->paths[i], &maps, descriptor);
    }
    hak_maps_free(&maps);
    hak_os_unmap(memory, bytes);
}
