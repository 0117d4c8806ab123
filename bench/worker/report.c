/* SPDX-License-Identifier: MIT */
/* JSON on standard output. Called by worker.c on the main thread, after everything was measured. */
#include "bench/worker/report.h"

#include "bench/worker/contender.h"

#include <inttypes.h>
#include <stdio.h>

/* `text` as JSON has it; null for NULL. */
static void print_text(const char *text) {
    if (text == NULL) {
        printf("null");
        return;
    }
    putchar('"');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            printf("\\%c", *c);
        } else if ((unsigned char)*c < ' ') {
            printf("\\u%04x", (unsigned char)*c);
        } else {
            putchar(*c);
        }
    }
    putchar('"');
}

/* "NAME":, after a comma. */
static void print_key(const char *name) { printf(",\"%s\":", name); }

static void print_text_field(const char *name, const char *text) {
    print_key(name);
    print_text(text);
}

static void print_count(const char *name, uint64_t count) {
    print_key(name);
    printf("%" PRIu64, count);
}

static void print_flag(const char *name, bool flag) {
    print_key(name);
    printf("%s", flag ? "true" : "false");
}

/* null where there is none. */
static void print_optional(const char *name, bool present, uint64_t count) {
    if (present) {
        print_count(name, count);
    } else {
        print_text_field(name, NULL);
    }
}

void report_list(void) {
    for (size_t i = 0; i < workload_count; i++) {
        printf("%-21s %s\n", workload_table[i]->name, workload_table[i]->description);
    }
}

void report_list_json(void) {
    for (size_t i = 0; i < workload_count; i++) {
        const struct workload *workload = workload_table[i];
        printf("%s{\"name\":", i == 0 ? "[" : ",\n ");
        print_text(workload->name);
        print_text_field("description", workload->description);
        print_text_field("source", workload->source);
        print_text_field("group", workload->group);
        print_key("threads");
        printf("[%u,%u]", workload->threads_min, workload->threads_max);
        print_count("unit", workload->unit);
        print_flag("exact", workload->exact);
        print_count("default_operations", workload->default_operations);
        print_count("quick_operations", workload->quick_operations);
        print_optional("working_set_bytes", workload->working_set,
                       (uint64_t)workload->store_slots * WORKLOAD_SET_BLOCK_BYTES);
        printf("}");
    }
    printf("]\n");
}

static const char *mode_name(enum workload_mode mode) {
    static const char *const names[WORKLOAD_MODES] = {
        [WORKLOAD_PLAIN] = "plain",
        [WORKLOAD_VERIFIED] = "verify",
        [WORKLOAD_MEMORY] = "memory",
        [WORKLOAD_LATENCY] = "latency",
    };
    return names[mode];
}

static void print_histogram(const char *name, const struct latency_histogram *histogram, double tick_ns) {
    static const struct {
        const char *name;
        unsigned permille;
    } quantiles[] = {{"p50_ns", 500}, {"p99_ns", 990}, {"p999_ns", 999}};
    printf(",\"%s\":{\"count\":%" PRIu64, name, histogram->count);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        print_key(quantiles[i].name);
        printf("%.1f", (double)latency_quantile(histogram, quantiles[i].permille) * tick_ns);
    }
    printf(",\"max_ns\":%.1f}", (double)histogram->max * tick_ns);
}

static void print_latency(const struct runner_result *result) {
    double tick_ns = latency_tick_ns();
    printf(",\"latency\":{\"timer\":\"%s\",\"timer_cost_ns\":%.1f", LATENCY_TIMER,
           (double)latency_timer_cost() * tick_ns);
    print_histogram("alloc", &result->latency.alloc, tick_ns);
    print_histogram("free", &result->latency.free, tick_ns);
    printf("}");
}

static void print_memory(const struct memory_record *record) {
    print_count("baseline_rss_bytes", record->baseline_bytes);
    print_count("rss_after_free_bytes", record->after_free_bytes);
    print_count("rss_after_second_bytes", record->after_second_bytes);
    print_count("rss_after_decay_bytes", record->after_decay_bytes);
    print_count("decay_ms", record->decay_ns / 1000000);
    print_count("mappings", record->mappings);
    print_key("samples");
    for (unsigned i = 0; i < record->samples; i++) {
        const struct memory_sample *sample = &record->sample[i];
        printf("%s{\"ms\":%.3f,\"rss_bytes\":%" PRIu64 ",\"live_bytes\":%" PRIu64 "}", i == 0 ? "[" : ",",
               (double)sample->ns / 1e6, sample->resident_bytes, sample->live_bytes);
    }
    printf("]");
}

void report_result(const struct options *options, const struct runner_result *result) {
    printf("{\"name\":\"%s\",\"link\":\"%s\"", BENCH_NAME, BENCH_LINK);
    print_text_field("version", contender_version());
    print_text_field("config", contender_config());
    print_text_field("allocator", contender_object());
    print_flag("comparable", contender_is_comparable());
    print_text_field("workload", options->workload->name);
    print_text_field("mode", mode_name(options->mode));
    print_count("threads", options->threads);
    print_count("seed", options->seed);
    print_count("operations", result->operations);
    print_count("ns", result->ns);
    print_optional("working_set_bytes", options->workload->working_set, result->working_set_bytes);
    printf(",\"checksum\":\"%016" PRIx64 "\",\"live_blocks\":%" PRId64, result->checksum, result->live_blocks);
    print_count("peak_rss_bytes", result->memory.peak_bytes);
    print_count("rss_bytes", result->memory.resident_bytes);
    print_count("minor_faults", result->usage.minor_faults);
    print_count("major_faults", result->usage.major_faults);
    print_count("voluntary_switches", result->usage.voluntary_switches);
    print_count("involuntary_switches", result->usage.involuntary_switches);
    print_count("user_us", result->usage.user_us);
    print_count("system_us", result->usage.system_us);
    if (options->mode == WORKLOAD_LATENCY) {
        print_latency(result);
    } else if (options->mode == WORKLOAD_MEMORY) {
        print_memory(&result->record);
    }
    printf("}\n");
}
