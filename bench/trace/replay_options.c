/* SPDX-License-Identifier: MIT */
/* What a replay runs, from its arguments. Called by replay.c at the start. */
#include "bench/trace/replay_options.h"

#include <string.h>

/* What every allocator here gives a block of 16 bytes and more: the least that hakmem.h promises. */
#define ALIGNMENT 8

static const char usage[] =
    "usage: %s [options] TRACE\n"
    "       %s --info|--paths TRACE\n"
    "\n"
    "Replays a trace against the allocator of this process; LD_PRELOAD says which.\n"
    "\n"
    "  --touch WHAT      of each block write: pages (default), edges or none\n"
    "  --incomplete      replay a trace without an end up to where it is cut\n"
    "  --info            print what is in the trace, replay nothing\n"
    "  --paths           print what each path of calls asked for and held, replay nothing\n";

enum { TOUCH = OPTIONS_OWN, INCOMPLETE, INFO, PATHS };

static const struct option rows[] = {
    {"touch", required_argument, NULL, TOUCH},
    {"incomplete", no_argument, NULL, INCOMPLETE},
    {"info", no_argument, NULL, INFO},
    {"paths", no_argument, NULL, PATHS},
};

static struct replay_options given = {.touch = TOUCH_PAGES};

static void set_touch(const char *text) {
    static const struct {
        const char *name;
        enum touch touch;
    } touches[] = {{"pages", TOUCH_PAGES}, {"edges", TOUCH_EDGES}, {"none", TOUCH_NONE}};
    for (size_t i = 0; i < sizeof touches / sizeof touches[0]; i++) {
        if (strcmp(text, touches[i].name) == 0) {
            given.touch = touches[i].touch;
            return;
        }
    }
    options_refuse("--touch", text, "--touch takes pages, edges or none");
}

static void apply(int value, const char *argument) {
    switch (value) {
    case TOUCH: set_touch(argument); break;
    case INCOMPLETE: given.incomplete = true; break;
    case INFO: given.info = true; break;
    default: given.paths = true; break;
    }
}

void replay_options_parse(int argc, char **argv, struct replay_options *options) {
    static const struct options_own own = {usage, "TRACE", rows, sizeof rows / sizeof rows[0], apply};
    given.how.alignment = ALIGNMENT;
    given.path = options_parse(argc, argv, &own, &given.how);
    if (given.how.operations == 0) {
        given.how.operations = UINT64_MAX;
    }
    *options = given;
}
