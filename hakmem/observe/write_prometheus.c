/* SPDX-License-Identifier: MIT */
/* Statistics in Prometheus' text format, version 0.0.4.
 *
 * Sums over the labels are the sums of the pools; class 0 is the huge pool, as in hak_owner_info. */
#include "hakmem/observe/fields.h"
#include "hakmem/observe/write.h"

static void head(struct hak_text *sink, const char *metric, const char *help, bool is_counter) {
    hak_text_add(sink, "# HELP ");
    hak_text_add(sink, metric);
    hak_text_add(sink, " ");
    hak_text_add(sink, help);
    hak_text_add(sink, ".\n# TYPE ");
    hak_text_add(sink, metric);
    hak_text_add(sink, is_counter ? " counter\n" : " gauge\n");
}

static void head_of(struct hak_text *sink, const struct stats_field *field) {
    head(sink, field->metric, field->help, field->is_counter);
}

static void value_of(struct hak_text *sink, uint64_t value) {
    hak_text_add(sink, " ");
    hak_text_add_decimal(sink, value);
    hak_text_add(sink, "\n");
}

static void label(struct hak_text *sink, const char *before, const char *name, const char *value) {
    hak_text_add(sink, before);
    hak_text_add(sink, name);
    hak_text_add(sink, "=\"");
    hak_text_add(sink, value);
    hak_text_add(sink, "\"");
}

static void label_number(struct hak_text *sink, const char *before, const char *name, uint64_t value) {
    hak_text_add(sink, before);
    hak_text_add(sink, name);
    hak_text_add(sink, "=\"");
    hak_text_add_decimal(sink, value);
    hak_text_add(sink, "\"");
}

static void block_labels(struct hak_text *sink, const char *metric, enum hak_pool pool, unsigned class_index,
                         uint64_t block_size) {
    hak_text_add(sink, metric);
    label(sink, "{", "pool", hak_stats_pool_name(pool));
    label_number(sink, ",", "class", class_index);
    label_number(sink, ",", "block_bytes", block_size);
    hak_text_add(sink, "}");
}

/* What classes and the huge pool have in common: the first fields of both tables. */
static void prometheus_blocks(struct hak_text *sink, const struct stats_reading *reading) {
    for (size_t i = 0; i < hak_stats_class_fields.count; i++) {
        const struct stats_field *field = &hak_stats_class_fields.fields[i];
        head_of(sink, field);
        for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
            const struct hak_class_stats *one = &reading->classes[class_index];
            if (one->allocations != 0 || one->slabs != 0) {
                block_labels(sink, field->metric, hak_stats_pool_of(class_index), class_index, one->block_size);
                value_of(sink, stats_value(one, field));
            }
        }
        block_labels(sink, field->metric, HAK_POOL_HUGE, 0, 0);
        value_of(sink, stats_value(&reading->stats.huge, &hak_stats_pool_fields.fields[i]));
    }
}

/* What only pools have. */
static void prometheus_pools(struct hak_text *sink, const struct hak_stats *stats) {
    for (size_t i = hak_stats_class_fields.count; i < hak_stats_pool_fields.count; i++) {
        const struct stats_field *field = &hak_stats_pool_fields.fields[i];
        head_of(sink, field);
        for (enum hak_pool pool = HAK_POOL_TINY; pool <= HAK_POOL_HUGE; pool++) {
            hak_text_add(sink, field->metric);
            label(sink, "{", "pool", hak_stats_pool_name(pool));
            hak_text_add(sink, "}");
            value_of(sink, stats_value(hak_stats_pool(stats, pool), field));
        }
    }
}

static void prometheus_threads(struct hak_text *sink, const struct stats_reading *reading) {
    for (size_t i = 0; i < hak_stats_thread_fields.count; i++) {
        const struct stats_field *field = &hak_stats_thread_fields.fields[i];
        head_of(sink, field);
        for (size_t thread = 0; thread < reading->thread_count; thread++) {
            hak_text_add(sink, field->metric);
            label_number(sink, "{", "thread", reading->threads[thread].number);
            label_number(sink, ",", "tid", reading->threads[thread].tid);
            hak_text_add(sink, "}");
            value_of(sink, stats_value(&reading->threads[thread], field));
        }
    }
}

static void flag(struct hak_text *sink, const char *metric, const char *help, bool value) {
    head(sink, metric, help, false);
    hak_text_add(sink, metric);
    value_of(sink, value);
}

void hak_stats_write_prometheus(struct hak_text *sink, const struct stats_reading *reading) {
    head(sink, "hakmem_build_info", "What was built", false);
    hak_text_add(sink, "hakmem_build_info");
    label(sink, "{", "version", hak_version());
    label(sink, ",", "config", hak_config_string());
    label(sink, ",", "spacing", hak_classes_string());
    hak_text_add(sink, "}");
    value_of(sink, 1);
    flag(sink, "hakmem_exact", "Whether allocations are counted, and not estimated", reading->stats.exact);
    flag(sink, "hakmem_quiet", "Whether no thread moved while this was read", reading->stats.quiet);
    for (size_t i = 0; i < hak_stats_process_fields.count; i++) {
        const struct stats_field *field = &hak_stats_process_fields.fields[i];
        head_of(sink, field);
        hak_text_add(sink, field->metric);
        value_of(sink, stats_value(&reading->stats, field));
    }
    prometheus_blocks(sink, reading);
    prometheus_pools(sink, &reading->stats);
    prometheus_threads(sink, reading);
}
