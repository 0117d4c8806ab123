/* SPDX-License-Identifier: MIT */
/* Parses the replayer's arguments with getopt_long. */
#include "bench/trace/replay_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

static const char usage[] =
    "usage: %s [options] TRACE\n"
    "       %s --info TRACE\n"
    "\n"
    "Replays a trace against the allocator of this process; LD_PRELOAD says which.\n"
    "\n"
    "  --verify          mark every block and check the marks\n"
    "  --memory          sample resident and live bytes, then free everything and look again\n"
    "  --touch WHAT      of each block write: pages (default), edges or none\n"
    "  --operations N    only the first N calls (default: all)\n"
    "  --seed N          said again in the result (default: 1); a replay draws no random numbers\n"
    "  --incomplete      replay a trace without an end up to where it is cut\n"
    "  --info            print what is in the trace, replay nothing\n";

static _Noreturn void refuse(const char *program, const char *what, const char *why) {
    fprintf(stderr, "%s: %s: %s\n", program, what, why);
    fprintf(stderr, usage, program, program);
    exit(EXIT_USAGE);
}

static enum touch parse_touch(const char *program, const char *text) {
    static const struct {
        const char *name;
        enum touch touch;
    } known[] = {{"pages", TOUCH_PAGES}, {"edges", TOUCH_EDGES}, {"none", TOUCH_NONE}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(text, known[i].name) == 0) {
            return known[i].touch;
        }
    }
    refuse(program, text, "--touch takes pages, edges or none");
}

/* A decimal number from `low` on, nothing before or after it. */
static uint64_t parse_number(const char *program, const char *option, const char *text, uint64_t low) {
    char *end = NULL;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < low) {
        fprintf(stderr, "%s: %s %s: a whole number from %d is wanted\n", program, option, text, (int)low);
        fprintf(stderr, usage, program, program);
        exit(EXIT_USAGE);
    }
    return value;
}

void options_parse(int argc, char **argv, struct options *options) {
    enum { VERIFY = 256, MEMORY, TOUCH, INCOMPLETE, INFO, OPERATIONS, SEED, HELP };
    static const struct option known[] = {
        {"verify", no_argument, NULL, VERIFY},
        {"memory", no_argument, NULL, MEMORY},
        {"touch", required_argument, NULL, TOUCH},
        {"incomplete", no_argument, NULL, INCOMPLETE},
        {"info", no_argument, NULL, INFO},
        {"operations", required_argument, NULL, OPERATIONS},
        {"seed", required_argument, NULL, SEED},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    *options = (struct options){.touch = TOUCH_PAGES, .operations = UINT64_MAX, .seed = 1};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case VERIFY: options->verify = true; break;
        case MEMORY: options->memory = true; break;
        case TOUCH: options->touch = parse_touch(argv[0], optarg); break;
        case INCOMPLETE: options->incomplete = true; break;
        case INFO: options->info = true; break;
        case OPERATIONS: options->operations = parse_number(argv[0], "--operations", optarg, 1); break;
        case SEED: options->seed = parse_number(argv[0], "--seed", optarg, 0); break;
        case HELP: printf(usage, argv[0], argv[0]); exit(EXIT_SUCCESS);
        default: fprintf(stderr, usage, argv[0], argv[0]); exit(EXIT_USAGE);
        }
    }
    if (optind != argc - 1) {
        refuse(argv[0], optind == argc ? "TRACE" : argv[optind + 1], optind == argc ? "missing" : "not expected");
    }
    if (options->verify && options->memory) {
        refuse(argv[0], "--verify --memory", "one of the two: marks make every page resident");
    }
    options->path = argv[optind];
}
