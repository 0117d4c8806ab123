/* SPDX-License-Identifier: MIT */
/* Parses a worker's arguments with getopt_long. Called by worker.c at the start; data are the caller's. */
#include "bench/worker/options.h"

#include "bench/worker/contender.h"
#include "bench/worker/memory.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

/* A year of operations at a nanosecond each: above it the count is a slip of the pen. */
#define OPERATIONS_MAX UINT64_C(30000000000000000)

/* A tenth of the measured part warms caches, predictors and the allocator's own structures. */
#define WARM_UP_SHARE 10

/* Half a second more than hakmem keeps freed memory. */
#define DECAY_MS 1500

static const char usage[] =
    "usage: %s --workload NAME --operations N [options]\n"
    "       %s --list[=json] | --config | --hot-path\n"
    "\n"
    "  --workload NAME   what to run; --list prints the names\n"
    "  --operations N    operations of each thread, rounded up to the workload's unit\n"
    "  --warm-up N       operations before the clock starts (default: a tenth of --operations; none with --memory)\n"
    "  --threads N       threads, 1 to 64 (default: as few as the workload needs)\n"
    "  --seed N          seed of the random numbers (default: 1)\n"
    "  --verify          mark every block and check the marks on free\n"
    "  --alignment N     with --verify: of every block of 16 bytes and more, 8 or 16 (default: what the allocator's\n"
    "                    interface promises)\n"
    "  --memory          write every page of each block; sample resident and live bytes, from 25 operations on\n"
    "  --decay-ms N      with --memory: when all is freed, wait at most so long for memory to go back, 0 to 1500\n"
    "                    (default: 1500)\n"
    "  --latency         time every call of the allocator\n"
    "  --list=json       print all that is known of the workloads\n"
    "  --config          print the switches that the allocator was built with\n"
    "  --hot-path        call the probes of the hot path and print their addresses\n";

/* What was given, as far as its meaning depends on the workload. */
struct given {
    const char *program, *workload;
    bool warm_up, threads, alignment, decay_ms;
    unsigned modes; /* a bit for each of --verify, --memory and --latency */
};

static _Noreturn void refuse(const char *program, const char *option, const char *value, const char *why) {
    fprintf(stderr, "%s: %s %s: %s\n", program, option, value, why);
    fprintf(stderr, usage, program, program);
    exit(EXIT_USAGE);
}

static _Noreturn void refuse_range(const char *program, const char *option, const char *text, uint64_t low,
                                   uint64_t high) {
    char why[80];
    snprintf(why, sizeof why, "a whole number from %llu to %llu is wanted", (unsigned long long)low,
             (unsigned long long)high);
    refuse(program, option, text, why);
}

/* A decimal number from `low` to `high`, nothing before or after it. */
static uint64_t parse_number(const char *program, const char *option, const char *text, uint64_t low, uint64_t high) {
    char *end = NULL;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < low || value > high) {
        refuse_range(program, option, text, low, high);
    }
    return value;
}

static uint64_t round_up(uint64_t operations, uint64_t unit) { return (operations + unit - 1) / unit * unit; }

static void complete_threads(struct options *options, const struct given *given) {
    const struct workload *workload = options->workload;
    if (!given->threads) {
        options->threads = workload->threads_min;
    }
    if (options->threads < workload->threads_min || options->threads > workload->threads_max) {
        char text[12];
        snprintf(text, sizeof text, "%u", options->threads);
        if (workload->threads_max == 1) {
            refuse(given->program, "--threads", text, "this workload runs on one thread");
        }
        refuse_range(given->program, "--threads", text, workload->threads_min, workload->threads_max);
    }
}

/* What depends on the workload and on other options, after all are known. */
static void complete(struct options *options, const struct given *given) {
    if (given->workload == NULL || options->operations == 0) {
        refuse(given->program, given->workload == NULL ? "--workload" : "--operations", "", "missing");
    }
    options->workload = workload_find(given->workload);
    if (options->workload == NULL) {
        refuse(given->program, "--workload", given->workload, "no such workload; --list prints them");
    }
    if ((given->modes & (given->modes - 1)) != 0) {
        refuse(given->program, "--verify, --memory, --latency", "", "one of them at a time");
    }
    if (given->alignment && options->mode != WORKLOAD_VERIFIED) {
        refuse(given->program, "--alignment", "", "only --verify looks at it");
    }
    const bool memory = options->mode == WORKLOAD_MEMORY;
    if ((given->decay_ms && !memory) || (given->warm_up && memory)) {
        refuse(given->program, memory ? "--warm-up" : "--decay-ms", "",
               memory ? "--memory looks at the process from its start" : "only --memory waits");
    }
    complete_threads(options, given);
    if (!given->warm_up && !memory) {
        options->warm_up = options->operations / WARM_UP_SHARE;
    }
    options->operations = round_up(options->operations, options->workload->unit);
    options->warm_up = round_up(options->warm_up, options->workload->unit);
    if (memory && options->operations < MEMORY_OPERATIONS_MIN) {
        refuse(given->program, "--operations", "", "--memory takes its samples by operations and needs 25");
    }
}

static void set_mode(struct options *options, struct given *given, enum workload_mode mode) {
    options->mode = mode;
    given->modes |= 1u << mode;
}

static void set_alignment(struct options *options, struct given *given, const char *text) {
    if (strcmp(text, "8") != 0 && strcmp(text, "16") != 0) {
        refuse(given->program, "--alignment", text, "8 or 16 is wanted");
    }
    options->alignment = (unsigned)parse_number(given->program, "--alignment", text, 8, 16);
    given->alignment = true;
}

static void set_list(struct options *options, const struct given *given, const char *format) {
    if (format != NULL && strcmp(format, "json") != 0) {
        refuse(given->program, "--list", format, "json is the only format that has a name");
    }
    options->action = format == NULL ? OPTIONS_LIST : OPTIONS_LIST_JSON;
}

enum {
    WORKLOAD = 256,
    OPERATIONS,
    WARM_UP,
    THREADS,
    SEED,
    VERIFY,
    ALIGNMENT,
    MEMORY,
    DECAY_MS_OPTION,
    LATENCY,
    LIST,
    CONFIG,
    HOT_PATH,
    HELP,
};

static const struct option known[] = {
    {"workload", required_argument, NULL, WORKLOAD},
    {"operations", required_argument, NULL, OPERATIONS},
    {"warm-up", required_argument, NULL, WARM_UP},
    {"threads", required_argument, NULL, THREADS},
    {"seed", required_argument, NULL, SEED},
    {"verify", no_argument, NULL, VERIFY},
    {"alignment", required_argument, NULL, ALIGNMENT},
    {"memory", no_argument, NULL, MEMORY},
    {"decay-ms", required_argument, NULL, DECAY_MS_OPTION},
    {"latency", no_argument, NULL, LATENCY},
    {"list", optional_argument, NULL, LIST},
    {"config", no_argument, NULL, CONFIG},
    {"hot-path", no_argument, NULL, HOT_PATH},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static void apply(int option, struct options *options, struct given *given) {
    switch (option) {
    case WORKLOAD: given->workload = optarg; break;
    case OPERATIONS:
        options->operations = parse_number(given->program, "--operations", optarg, 1, OPERATIONS_MAX);
        break;
    case WARM_UP:
        options->warm_up = parse_number(given->program, "--warm-up", optarg, 0, OPERATIONS_MAX);
        given->warm_up = true;
        break;
    case THREADS:
        options->threads = (unsigned)parse_number(given->program, "--threads", optarg, 1, WORKLOAD_THREADS_MAX);
        given->threads = true;
        break;
    case SEED: options->seed = parse_number(given->program, "--seed", optarg, 0, UINT64_MAX); break;
    case VERIFY: set_mode(options, given, WORKLOAD_VERIFIED); break;
    case ALIGNMENT: set_alignment(options, given, optarg); break;
    case MEMORY: set_mode(options, given, WORKLOAD_MEMORY); break;
    case DECAY_MS_OPTION:
        options->decay_ms = (unsigned)parse_number(given->program, "--decay-ms", optarg, 0, DECAY_MS);
        given->decay_ms = true;
        break;
    case LATENCY: set_mode(options, given, WORKLOAD_LATENCY); break;
    case LIST: set_list(options, given, optarg); break;
    case CONFIG: options->action = OPTIONS_CONFIG; break;
    case HOT_PATH: options->action = OPTIONS_HOT_PATH; break;
    case HELP: printf(usage, given->program, given->program); exit(EXIT_SUCCESS);
    default: fprintf(stderr, usage, given->program, given->program); exit(EXIT_USAGE);
    }
}

void options_parse(int argc, char **argv, struct options *options) {
    struct given given = {.program = argv[0]};
    *options = (struct options){
        .action = OPTIONS_RUN, .seed = 1, .threads = 1, .alignment = BENCH_ALIGNMENT, .decay_ms = DECAY_MS};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        apply(option, options, &given);
    }
    if (optind < argc) {
        refuse(argv[0], "argument", argv[optind], "not expected");
    }
    if (options->action == OPTIONS_RUN) {
        complete(options, &given);
    }
}
