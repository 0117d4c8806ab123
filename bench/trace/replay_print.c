/* SPDX-License-Identifier: MIT */
/* A replay's result, with the fields of bench/worker/worker.c's and some of its own. */
#include "bench/worker/contender.h"
#include "bench/trace/json.h"
#include "bench/trace/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_memory(const struct replay_result *result) {
    json_count("baseline_rss_bytes", result->baseline_bytes);
    json_count("rss_after_free_bytes", result->after_free_bytes);
    json_count("rss_after_second_bytes", result->after_second_bytes);
    json_count("rss_after_decay_bytes", result->after_decay_bytes);
    json_count("decay_ms", result->decay_ns / 1000000);
    json_count("mappings", result->record.mappings);
    printf(",\"samples\":[");
    for (uint32_t i = 0; i < result->record.samples; i++) {
        const struct resident_sample *sample = &result->record.sample[i];
        printf("%s{\"ms\":%.3f,\"rss_bytes\":%" PRIu64 ",\"live_bytes\":%" PRIu64 "}", i == 0 ? "" : ",",
               (double)sample->ns / 1e6, sample->resident_bytes, sample->live_bytes);
    }
    printf("]");
}

/* "trace:" and the file's name up to its first dot. */
static void print_workload(const char *path) {
    char name[128] = "trace:";
    const char *slash = strrchr(path, '/'), *file = slash != NULL ? slash + 1 : path;
    size_t length = strcspn(file, "."), room = sizeof name - sizeof "trace:";
    strncat(name, file, length < room ? length : room);
    json_string("workload", name);
}

void replay_print(const struct options *options, const struct schedule *schedule, const struct replay_result *result) {
    static const char *const touches[] = {[TOUCH_NONE] = "none", [TOUCH_EDGES] = "edges", [TOUCH_PAGES] = "pages"};
    printf("{\"name\":\"%s\",\"link\":\"%s\"", BENCH_NAME, BENCH_LINK);
    json_string("version", contender_version());
    json_string("config", contender_config());
    json_string("allocator", contender_object());
    json_flag("comparable", contender_is_comparable());
    print_workload(options->path);
    json_string("mode", options->memory ? "memory" : options->verify ? "verify" : "plain");
    json_string("touch", touches[options->touch]);
    json_count("threads", schedule->threads);
    json_count("seed", options->seed);
    json_count("operations", schedule->operations);
    json_count("ns", result->ns);
    json_string("working_set_bytes", NULL);
    printf(",\"checksum\":\"%016" PRIx64 "\"", schedule->checksum);
    json_count("live_blocks", result->live_blocks);
    json_count("handed_over", schedule->shared_count);
    json_count("skipped", schedule->skipped);
    json_count("dropped", schedule->dropped);
    json_count("peak_live_bytes", schedule->peak_live_bytes);
    json_count("peak_rss_bytes", result->peak_bytes);
    json_count("rss_bytes", result->rss_bytes);
    json_count("replayer_bytes", result->own_bytes);
    json_count("minor_faults", result->usage.minor_faults);
    json_count("major_faults", result->usage.major_faults);
    json_count("voluntary_switches", result->usage.voluntary_switches);
    json_count("involuntary_switches", result->usage.involuntary_switches);
    json_count("user_us", result->usage.user_us);
    json_count("system_us", result->usage.system_us);
    if (options->memory) {
        print_memory(result);
    }
    printf("}\n");
}
