/* Parses a worker's arguments with getopt_long. Called by worker.c at the start; data are the caller's. */
#include "bench/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define EXIT_USAGE 2

/* A year of operations at a nanosecond each: above it the count is a slip of the pen. */
#define OPERATIONS_MAX UINT64_C(30000000000000000)

/* A tenth of the measured part warms caches, predictors and the allocator's own structures. */
#define WARM_UP_SHARE 10

static const char usage[] =
    "usage: %s --workload NAME --operations N [options]\n"
    "       %s --list | --config | --hot-path\n"
    "\n"
    "  --workload NAME   what to run; --list prints the names\n"
    "  --operations N    operations of each thread, rounded up to the workload's unit\n"
    "  --warm-up N       operations before the clock starts (default: a tenth of --operations)\n"
    "  --threads N       threads, 1 to 64 (default: 1)\n"
    "  --seed N          seed of the random numbers (default: 1)\n"
    "  --verify          mark every block and check the marks on free\n"
    "  --config          print the switches that the allocator was built with\n"
    "  --hot-path        call the probes of the hot path and print their addresses\n";

static _Noreturn void refuse(const char *program, const char *option, const char *value, const char *why) {
    fprintf(stderr, "%s: %s %s: %s\n", program, option, value, why);
    fprintf(stderr, usage, program, program);
    exit(EXIT_USAGE);
}

/* A decimal number from `low` to `high`, nothing before or after it. */
static uint64_t parse_number(const char *program, const char *option, const char *text, uint64_t low, uint64_t high) {
    char *end = NULL;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < low || value > high) {
        char why[80];
        snprintf(why, sizeof why, "a whole number from %llu to %llu is wanted", (unsigned long long)low,
                 (unsigned long long)high);
        refuse(program, option, text, why);
    }
    return value;
}

static uint64_t round_up(uint64_t operations, uint64_t unit) { return (operations + unit - 1) / unit * unit; }

/* What depends on the workload, after all options are known. */
static void complete(const char *program, struct options *options, const char *workload, bool warm_up_given) {
    if (workload == NULL || options->operations == 0) {
        refuse(program, workload == NULL ? "--workload" : "--operations", "", "missing");
    }
    options->workload = workload_find(workload);
    if (options->workload == NULL) {
        refuse(program, "--workload", workload, "no such workload; --list prints them");
    }
    if (options->threads > options->workload->threads_max) {
        refuse(program, "--threads", "", "this workload runs on one thread");
    }
    if (!warm_up_given) {
        options->warm_up = options->operations / WARM_UP_SHARE;
    }
    options->operations = round_up(options->operations, options->workload->unit);
    options->warm_up = round_up(options->warm_up, options->workload->unit);
}

void options_parse(int argc, char **argv, struct options *options) {
    enum { WORKLOAD = 256, OPERATIONS, WARM_UP, THREADS, SEED, VERIFY, LIST, CONFIG, HOT_PATH, HELP };
    static const struct option known[] = {
        {"workload", required_argument, NULL, WORKLOAD}, {"operations", required_argument, NULL, OPERATIONS},
        {"warm-up", required_argument, NULL, WARM_UP},   {"threads", required_argument, NULL, THREADS},
        {"seed", required_argument, NULL, SEED},         {"verify", no_argument, NULL, VERIFY},
        {"list", no_argument, NULL, LIST},               {"config", no_argument, NULL, CONFIG},
        {"hot-path", no_argument, NULL, HOT_PATH},       {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    const char *workload = NULL;
    bool warm_up_given = false;
    *options = (struct options){.mode = OPTIONS_RUN, .seed = 1, .threads = 1};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case WORKLOAD: workload = optarg; break;
        case OPERATIONS: options->operations = parse_number(argv[0], "--operations", optarg, 1, OPERATIONS_MAX); break;
        case WARM_UP:
            options->warm_up = parse_number(argv[0], "--warm-up", optarg, 0, OPERATIONS_MAX);
            warm_up_given = true;
            break;
        case THREADS:
            options->threads = (unsigned)parse_number(argv[0], "--threads", optarg, 1, WORKLOAD_THREADS_MAX);
            break;
        case SEED: options->seed = parse_number(argv[0], "--seed", optarg, 0, UINT64_MAX); break;
        case VERIFY: options->verify = true; break;
        case LIST: options->mode = OPTIONS_LIST; break;
        case CONFIG: options->mode = OPTIONS_CONFIG; break;
        case HOT_PATH: options->mode = OPTIONS_HOT_PATH; break;
        case HELP: printf(usage, argv[0], argv[0]); exit(EXIT_SUCCESS);
        default: fprintf(stderr, usage, argv[0], argv[0]); exit(EXIT_USAGE);
        }
    }
    if (optind < argc) {
        refuse(argv[0], "argument", argv[optind], "not expected");
    }
    if (options->mode == OPTIONS_RUN) {
        complete(argv[0], options, workload, warm_up_given);
    }
}
