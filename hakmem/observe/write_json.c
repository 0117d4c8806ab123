/* SPDX-License-Identifier: MIT */
/* Statistics as JSON: one object in one line. stats.schema.json describes it, and a test compares. */
#include "hakmem/observe/fields.h"
#include "hakmem/observe/learned.h"
#include "hakmem/observe/write.h"
#include "hakmem/os/os.h"

/* "name":value, after a comma where something stands before. */
static void member(struct hak_text *sink, const char *name, uint64_t value, bool first) {
    hak_text_add(sink, first ? "\"" : ",\"");
    hak_text_add(sink, name);
    hak_text_add(sink, "\":");
    hak_text_add_decimal(sink, value);
}

/* None of the texts has a character that JSON would escape. */
static void member_text(struct hak_text *sink, const char *name, const char *value) {
    hak_text_add(sink, ",\"");
    hak_text_add(sink, name);
    hak_text_add(sink, "\":\"");
    hak_text_add(sink, value);
    hak_text_add(sink, "\"");
}

static void member_bool(struct hak_text *sink, const char *name, bool value) {
    hak_text_add(sink, ",\"");
    hak_text_add(sink, name);
    hak_text_add(sink, value ? "\":true" : "\":false");
}

static void members(struct hak_text *sink, const struct stats_fields *fields, const void *of, bool first) {
    for (size_t i = 0; i < fields->count; i++) {
        member(sink, fields->fields[i].name, stats_value(of, &fields->fields[i]), first && i == 0);
    }
}

static void json_pools(struct hak_text *sink, const struct hak_stats *stats) {
    hak_text_add(sink, ",\"pools\":{");
    for (enum hak_pool pool = HAK_POOL_TINY; pool <= HAK_POOL_HUGE; pool++) {
        hak_text_add(sink, pool == HAK_POOL_TINY ? "\"" : ",\"");
        hak_text_add(sink, hak_stats_pool_name(pool));
        hak_text_add(sink, "\":{");
        members(sink, &hak_stats_pool_fields, hak_stats_pool(stats, pool), true);
        hak_text_add(sink, "}");
    }
    hak_text_add(sink, "}");
}

/* Those that ever gave out a block or hold a slab. */
static void classes(struct hak_text *sink, const struct stats_reading *reading) {
    bool first = true;
    hak_text_add(sink, ",\"classes\":[");
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        const struct hak_class_stats *one = &reading->classes[class_index];
        if (one->allocations == 0 && one->slabs == 0) {
            continue;
        }
        hak_text_add(sink, first ? "{" : ",{");
        first = false;
        member(sink, "class", class_index, true);
        member_text(sink, "pool", hak_stats_pool_name(hak_stats_pool_of(class_index)));
        member(sink, "block_size", one->block_size, false);
        members(sink, &hak_stats_class_fields, one, false);
        learned_write_json_class(sink, class_index);
        hak_text_add(sink, "}");
    }
    hak_text_add(sink, "]");
}

static void json_threads(struct hak_text *sink, const struct stats_reading *reading) {
    hak_text_add(sink, ",\"threads\":[");
    for (size_t i = 0; i < reading->thread_count; i++) {
        hak_text_add(sink, i == 0 ? "{" : ",{");
        member(sink, "number", reading->threads[i].number, true);
        member(sink, "tid", reading->threads[i].tid, false);
        members(sink, &hak_stats_thread_fields, &reading->threads[i], false);
        hak_text_add(sink, "}");
    }
    hak_text_add(sink, "]");
    member(sink, "threads_omitted", reading->stats.threads - reading->thread_count, false);
}

void hak_stats_write_json(struct hak_text *sink, const struct stats_reading *reading) {
    hak_text_add(sink, "{");
    member(sink, "version", STATS_JSON_VERSION, true);
    member(sink, "pid", hak_os_process_id(), false);
    member(sink, "clock_ms", hak_os_clock_ms(), false);
    member_text(sink, "library", hak_version());
    member_text(sink, "config", hak_config_string());
    member_text(sink, "spacing", hak_classes_string());
    member_bool(sink, "exact", reading->stats.exact);
    member_bool(sink, "quiet", reading->stats.quiet);
    hak_text_add(sink, ",\"process\":{");
    members(sink, &hak_stats_process_fields, &reading->stats, true);
    hak_text_add(sink, "}");
    json_pools(sink, &reading->stats);
    classes(sink, reading);
    json_threads(sink, reading);
    learned_write_json_sum(sink);
    hak_text_add(sink, "}\n");
}
