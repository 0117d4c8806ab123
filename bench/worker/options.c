/* SPDX-License-Identifier: MIT */
/* Parses arguments with getopt_long. Called on the main thread, at the start. */
#include "bench/worker/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Half a second more than hakmem keeps freed memory. */
#define DECAY_MS_MAX 1500

#define ROWS_MAX 24

static const char usage[] =
    "  --operations N    how many operations; a workload's are those of each thread, rounded up to its unit; a trace's "
    "are\n"
    "                    its first calls (default there: all)\n"
    "  --seed N          seed of the random numbers (default: 1); a trace draws none\n"
    "  --verify          fill every block with a pattern, and check it when the block is freed or resized\n"
    "  --alignment N     with --verify: what every block of 16 bytes and more is aligned to, 8 or 16 (default: what "
    "the\n"
    "                    allocator's interface promises; for a trace 8)\n"
    "  --memory          write every page of each block; sample resident and live bytes\n"
    "  --decay-ms N      with --memory: when all is freed, wait at most so long for memory to go back, 0 to 1500\n"
    "                    (default: 1500)\n"
    "  --latency         time every call of the allocator\n"
    "  --help            print this\n";

enum { OPERATIONS = 256, SEED, VERIFY, ALIGNMENT, MEMORY, DECAY_MS, LATENCY, HELP };

static const struct option known[] = {
    {"operations", required_argument, NULL, OPERATIONS},
    {"seed", required_argument, NULL, SEED},
    {"verify", no_argument, NULL, VERIFY},
    {"alignment", required_argument, NULL, ALIGNMENT},
    {"memory", no_argument, NULL, MEMORY},
    {"decay-ms", required_argument, NULL, DECAY_MS},
    {"latency", no_argument, NULL, LATENCY},
    {"help", no_argument, NULL, HELP},
};
#define KNOWN_COUNT (sizeof known / sizeof known[0])

static const char *program;
static const struct options_own *own;
static bool has_alignment, has_decay;
static unsigned modes; /* a bit for each that was given */

static void print_usage(FILE *file) {
    fprintf(file, own->usage, program, program);
    fputs(usage, file);
}

static _Noreturn void refuse_usage(void) {
    print_usage(stderr);
    exit(OPTIONS_EXIT_USAGE);
}

_Noreturn void options_refuse(const char *option, const char *text, const char *why) {
    fprintf(stderr, "%s: %s %s: %s\n", program, option, text, why);
    refuse_usage();
}

_Noreturn void options_refuse_range(const char *option, const char *text, uint64_t low, uint64_t high) {
    char why[80];
    snprintf(why, sizeof why, "a whole number from %llu to %llu is wanted", (unsigned long long)low,
             (unsigned long long)high);
    options_refuse(option, text, why);
}

uint64_t options_number(const char *option, const char *text, uint64_t low, uint64_t high) {
    char *end = NULL;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < low || value > high) {
        options_refuse_range(option, text, low, high);
    }
    return value;
}

static void set_mode(struct options *options, enum workload_mode mode) {
    options->mode = mode;
    modes |= 1u << mode;
}

static void set_alignment(struct options *options, const char *text) {
    if (strcmp(text, "8") != 0 && strcmp(text, "16") != 0) {
        options_refuse("--alignment", text, "8 or 16 is wanted");
    }
    options->alignment = text[0] == '8' ? 8 : 16;
    has_alignment = true;
}

static void apply(int value, struct options *options) {
    switch (value) {
    case OPERATIONS: options->operations = options_number("--operations", optarg, 1, OPTIONS_OPERATIONS_MAX); break;
    case SEED: options->seed = options_number("--seed", optarg, 0, UINT64_MAX); break;
    case VERIFY: set_mode(options, WORKLOAD_VERIFIED); break;
    case ALIGNMENT: set_alignment(options, optarg); break;
    case MEMORY: set_mode(options, WORKLOAD_MEMORY); break;
    case DECAY_MS:
        options->decay_ms = (unsigned)options_number("--decay-ms", optarg, 0, DECAY_MS_MAX);
        has_decay = true;
        break;
    case LATENCY: set_mode(options, WORKLOAD_LATENCY); break;
    case HELP: print_usage(stdout); exit(EXIT_SUCCESS);
    default: own->apply(value, optarg); break;
    }
}

static void check_modes(const struct options *options) {
    if ((modes & (modes - 1)) != 0) {
        options_refuse("--verify, --memory, --latency", "", "one of them at a time");
    }
    if (has_alignment && options->mode != WORKLOAD_VERIFIED) {
        options_refuse("--alignment", "", "only --verify looks at it");
    }
    if (has_decay && options->mode != WORKLOAD_MEMORY) {
        options_refuse("--decay-ms", "", "only --memory waits");
    }
}

const char *options_parse(int argc, char **argv, const struct options_own *the_own, struct options *options) {
    struct option rows[ROWS_MAX] = {{NULL, 0, NULL, 0}};
    program = argv[0];
    own = the_own;
    memcpy(rows, known, sizeof known);
    for (size_t i = 0; i < own->row_count && KNOWN_COUNT + i < ROWS_MAX - 1; i++) {
        rows[KNOWN_COUNT + i] = own->rows[i];
    }
    options->seed = 1;
    options->decay_ms = DECAY_MS_MAX;
    int value;
    while ((value = getopt_long(argc, argv, "", rows, NULL)) != -1) {
        if (value == '?') {
            refuse_usage();
        }
        apply(value, options);
    }
    const int operands = own->operand != NULL;
    if (optind + operands > argc) {
        options_refuse(own->operand, "", "missing");
    }
    if (optind + operands < argc) {
        options_refuse("argument", argv[optind + operands], "not expected");
    }
    check_modes(options);
    return operands ? argv[optind] : NULL;
}
