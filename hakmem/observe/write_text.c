/* SPDX-License-Identifier: MIT */
/* Statistics as tables for people, 100 columns wide. */
#include "hakmem/observe/fields.h"
#include "hakmem/observe/learned.h"
#include "hakmem/observe/write.h"

#define NAME_COLUMNS 18
#define VALUE_COLUMNS 16
#define COUNT_COLUMNS 13
#define SLABS_COLUMNS 7

static void process(struct hak_text *sink, const struct hak_stats *stats) {
    for (size_t i = 0; i < hak_stats_process_fields.count; i++) {
        const struct stats_field *field = &hak_stats_process_fields.fields[i];
        hak_text_add_column(sink, field->name, NAME_COLUMNS);
        hak_text_add_decimal_column(sink, stats_value(stats, field), VALUE_COLUMNS);
        hak_text_add(sink, "  ");
        hak_text_add(sink, field->help);
        hak_text_add(sink, "\n");
    }
}

static void row(struct hak_text *sink, const char *pool, uint64_t block_size, const struct hak_pool_stats *of) {
    const uint64_t counts[] = {of->allocations, of->frees, of->live_blocks, of->live_bytes, of->cached_blocks};
    hak_text_add_column(sink, pool, 5);
    if (block_size != 0) {
        hak_text_add_decimal_column(sink, block_size, 8);
    } else {
        hak_text_add_column(sink, "all", 8);
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        hak_text_add_decimal_column(sink, counts[i], COUNT_COLUMNS);
    }
    hak_text_add_decimal_column(sink, of->slabs, SLABS_COLUMNS);
    hak_text_add(sink, "\n");
}

static void text_blocks(struct hak_text *sink, const struct stats_reading *reading) {
    static const char *const heads[] = {"allocations", "frees", "live blocks", "live bytes", "in magazines"};
    hak_text_add(sink, "\n  pool     size");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        hak_text_add_column(sink, heads[i], COUNT_COLUMNS);
    }
    hak_text_add_column(sink, "slabs", SLABS_COLUMNS);
    hak_text_add(sink, "\n");
    for (enum hak_pool pool = HAK_POOL_TINY; pool <= HAK_POOL_HUGE; pool++) {
        row(sink, hak_stats_pool_name(pool), 0, hak_stats_pool(&reading->stats, pool));
    }
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        const struct hak_class_stats *one = &reading->classes[class_index];
        if (one->allocations != 0 || one->slabs != 0) {
            const struct hak_pool_stats alone = {.allocations = one->allocations,
                                                 .frees = one->frees,
                                                 .live_blocks = one->live_blocks,
                                                 .live_bytes = one->live_bytes,
                                                 .cached_blocks = one->cached_blocks,
                                                 .slabs = one->slabs};
            row(sink, hak_stats_pool_name(hak_stats_pool_of(class_index)), one->block_size, &alone);
        }
    }
}

static void text_threads(struct hak_text *sink, const struct stats_reading *reading) {
    static const char *const heads[] = {"tid", "allocations", "frees", "cached bytes", "exchanges", "remote frees"};
    hak_text_add(sink, "\nthread");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        hak_text_add_column(sink, heads[i], COUNT_COLUMNS);
    }
    hak_text_add(sink, "\n");
    for (size_t i = 0; i < reading->thread_count; i++) {
        const struct hak_thread_stats *one = &reading->threads[i];
        const uint64_t values[] = {one->tid,       one->allocations, one->frees, one->magazine_bytes,
                                   one->exchanges, one->remote_frees};
        hak_text_add_decimal_column(sink, one->number, 5);
        for (size_t value = 0; value < sizeof values / sizeof *values; value++) {
            hak_text_add_decimal_column(sink, values[value], COUNT_COLUMNS);
        }
        hak_text_add(sink, "\n");
    }
}

void hak_stats_write_text(struct hak_text *sink, const struct stats_reading *reading) {
    hak_text_add(sink, "hakmem ");
    hak_text_add(sink, hak_version());
    hak_text_add(sink, " (");
    hak_text_add(sink, hak_config_string());
    hak_text_add(sink, reading->stats.exact ? "), counts are exact, " : "), allocations are estimated, ");
    hak_text_add(
        sink, reading->stats.quiet ? "no thread moved while they were read\n" : "threads moved while they were read\n");
    process(sink, &reading->stats);
    text_blocks(sink, reading);
    learned_write_text(sink);
    text_threads(sink, reading);
}
