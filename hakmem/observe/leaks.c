/* SPDX-License-Identifier: MIT */
/* See leaks.h.
 *
 *     hakmem: leaks: 4160 bytes in 3 blocks live, from 2 paths; exact
 *     hakmem: leaks: 4096 bytes in 2 blocks from 0x55d0c8a7e1b3: /usr/bin/true+0x11b3
 *     hakmem: leaks:   called from 0x55d0c8a7e240: /usr/bin/true+0x1240
 *
 * An address lies within the call; the offset is that behind the start of the file's first mapping. */
#include "hakmem/observe/leaks.h"

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/base/text.h"
#include "hakmem/base/warning.h"
#include "hakmem/os/maps.h"
#include "hakmem/os/os.h"
#include "hakmem/sample/chance.h"

struct leak {
    struct profile_record path; /* the first record of the path of calls */
    double bytes, blocks;       /* estimates */
};

/* The live blocks of each path. Result: the number of paths */
static uint32_t leaks_gather(const struct hak_profile_table *table, uint64_t rate, struct leak *leaks) {
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
        const double blocks = (double)(record.allocations - record.frees) / hak_chance_of(record.size, rate);
        leaks[at - 1].blocks += blocks;
        leaks[at - 1].bytes += blocks * (double)record.size;
    }
    return count;
}

/* Most bytes first. Shell's sort with gaps by thirds: some thousand paths at most, and no memory. */
static void leaks_sort(struct leak *leaks, uint32_t count) {
    for (uint32_t gap = count / 3 + 1;; gap = gap / 3 + 1) {
        for (uint32_t i = gap; i < count; i++) {
            const struct leak leak = leaks[i];
            uint32_t at = i;
            for (; at >= gap && leaks[at - gap].bytes < leak.bytes; at -= gap) {
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

static void leaks_line_start(struct hak_text *line, double bytes, double blocks) {
    hak_text_add(line, "hakmem: leaks: ");
    leaks_number(line, (uint64_t)(bytes + 0.5), "byte");
    hak_text_add(line, " in ");
    leaks_number(line, (uint64_t)(blocks + 0.5), "block");
}

static void leaks_add_lost(struct hak_text *line, uint64_t count, const char *what) {
    if (count != 0) {
        hak_text_add(line, ", and ");
        leaks_number(line, count, "sample");
        hak_text_add(line, what);
    }
}

static void leaks_write_sum(const struct hak_profile_table *table, const struct leak *leaks, uint32_t count,
                            uint64_t rate, int descriptor) {
    TEXT_LINE(line);
    double bytes = 0, blocks = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += leaks[i].bytes;
        blocks += leaks[i].blocks;
    }
    leaks_line_start(&line, bytes, blocks);
    hak_text_add(&line, " live, from ");
    leaks_number(&line, count, "path");
    hak_text_add(&line, "; ");
    if (rate == 1) {
        hak_text_add(&line, "exact");
    } else {
        hak_text_add(&line, "estimated from a sample every ");
        leaks_number(&line, rate, "byte");
    }
    /* Relaxed, both: a snapshot. */
    leaks_add_lost(&line, hak_load_relaxed(&table->dropped), " lost for want of memory");
    leaks_add_lost(&line, hak_load_relaxed(&table->shortened), " without callers, since their table is full");
    hak_text_write_line(&line, descriptor);
}

static void leaks_add_place(struct hak_text *line, const struct maps *maps, uint64_t address) {
    hak_text_add_address(line, address);
    hak_maps_add_module(line, maps, address);
}

static void leaks_write(const struct hak_profile_table *table, const struct leak *leak, const struct maps *maps,
                        int descriptor) {
    TEXT_LINE(line);
    leaks_line_start(&line, leak->bytes, leak->blocks);
    hak_text_add(&line, " from ");
    leaks_add_place(&line, maps, leak->path.site);
    hak_text_write_line(&line, descriptor);
    for (uint32_t i = 0; i < record_caller_count(&leak->path); i++) {
        TEXT_LINE(caller);
        hak_text_add(&caller, "hakmem: leaks:   called from ");
        leaks_add_place(&caller, maps, record_callers(table, &leak->path)[i]);
        hak_text_write_line(&caller, descriptor);
    }
    if (record_is_cut(&leak->path)) {
        TEXT_LINE(more);
        hak_text_add(&more, "hakmem: leaks:   and further callers, which HAKMEM_PROFILE_FRAMES leaves out");
        hak_text_write_line(&more, descriptor);
    }
}

void hak_leaks_report(const struct hak_profile_table *table, int descriptor) {
    const size_t bytes = bits_round_up(PROFILE_RECORDS * sizeof(struct leak), hak_os_page_size());
    struct maps maps;
    void *memory;
    if (hak_os_map(bytes, hak_os_page_size(), &memory) != 0 || hak_maps_read(&maps) != 0) {
        hak_report_warning_to(descriptor, "no memory for the list of leaks, or /proc is not there", NULL, NULL);
        return;
    }
    /* Relaxed: a snapshot. */
    const uint64_t rate = hak_load_relaxed(&table->rate);
    struct leak *leaks = memory;
    const uint32_t count = leaks_gather(table, rate, leaks);
    leaks_sort(leaks, count);
    leaks_write_sum(table, leaks, count, rate, descriptor);
    for (uint32_t i = 0; i < count; i++) {
        leaks_write(table, &leaks[i], &maps, descriptor);
    }
    hak_maps_free(&maps);
    hak_os_unmap(memory, bytes);
}
