/* SPDX-License-Identifier: MIT */
/* A run's line of JSON. Called on the main thread, after everything was measured. */
#include "bench/worker/report.h"

#include "bench/worker/contender.h"
#include "bench/worker/json.h"

#include <inttypes.h>
#include <stdio.h>

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
        unsigned share; /* of ten thousand */
    } quantiles[] = {{"p50_ns", 5000}, {"p99_ns", 9900}, {"p999_ns", 9990}, {"p9999_ns", 9999}};
    printf(",\"%s\":{\"count\":%" PRIu64, name, histogram->count);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        json_key(quantiles[i].name);
        printf("%.1f", (double)latency_quantile(histogram, quantiles[i].share) * tick_ns);
    }
    printf(",\"max_ns\":%.1f}", (double)histogram->max * tick_ns);
}

static void print_latency(const struct report *report) {
    double tick_ns = latency_tick_ns();
    printf(",\"latency\":{\"timer\":\"%s\",\"timer_cost_ns\":%.1f", LATENCY_TIMER,
           (double)latency_timer_cost() * tick_ns);
    print_histogram("alloc", &report->latency.alloc, tick_ns);
    print_histogram("free", &report->latency.free, tick_ns);
    printf("}");
}

static void print_memory(const struct memory_record *record) {
    json_count("baseline_rss_bytes", record->baseline_bytes);
    json_count("rss_after_free_bytes", record->after_free_bytes);
    json_count("rss_after_second_bytes", record->after_second_bytes);
    json_count("rss_after_decay_bytes", record->after_decay_bytes);
    json_count("decay_ms", record->decay_ns / 1000000);
    json_count("mappings", record->mappings);
    json_key("samples");
    for (unsigned i = 0; i < record->samples; i++) {
        const struct memory_sample *sample = &record->sample[i];
        printf("%s{\"ms\":%.3f,\"rss_bytes\":%" PRIu64 ",\"live_bytes\":%" PRIu64 "}", i == 0 ? "[" : ",",
               (double)sample->ns / 1e6, sample->resident_bytes, sample->live_bytes);
    }
    printf("]");
}

void report_print(const struct options *options, const struct report *report, void (*print_more)(void)) {
    printf("{\"name\":\"%s\",\"link\":\"%s\"", BENCH_NAME, BENCH_LINK);
    json_text("version", contender_version());
    json_text("config", contender_config());
    json_text("allocator", contender_object());
    json_flag("comparable", contender_is_comparable());
    json_text("workload", report->workload);
    json_text("mode", mode_name(options->mode));
    json_count("threads", report->threads);
    json_count("seed", options->seed);
    json_count("operations", report->operations);
    json_count("ns", report->span.ns);
    json_count("cpu_ns", report->span.cpu_ns);
    json_optional("working_set_bytes", report->has_working_set, report->working_set_bytes);
    printf(",\"checksum\":\"%016" PRIx64 "\",\"live_blocks\":%" PRId64, report->checksum, report->live_blocks);
    json_count("peak_rss_bytes", report->memory.peak_bytes);
    json_count("rss_bytes", report->memory.resident_bytes);
    json_count("minor_faults", report->span.usage.minor_faults);
    json_count("major_faults", report->span.usage.major_faults);
    json_count("voluntary_switches", report->span.usage.voluntary_switches);
    json_count("involuntary_switches", report->span.usage.involuntary_switches);
    json_count("user_us", report->span.usage.user_us);
    json_count("system_us", report->span.usage.system_us);
    if (options->mode == WORKLOAD_LATENCY) {
        print_latency(report);
    } else if (options->mode == WORKLOAD_MEMORY) {
        print_memory(&report->record);
    }
    if (print_more != NULL) {
        print_more();
    }
    printf("}\n");
}
