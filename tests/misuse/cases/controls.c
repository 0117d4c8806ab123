/* SPDX-License-Identifier: MIT */
/* Nothing wrong, or something that is no allocator's to catch: what the judgement of outcomes is tested with. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/misuse/cases/case.h"

static void control_right(size_t size) {
    char *p = malloc(size);
    misuse_announce(p);
    free(p);
}

static void control_aborts_at_once(size_t size) {
    (void)size;
    misuse_announce(NULL);
    abort();
}

static void control_aborts_later(size_t size) {
    (void)size;
    misuse_announce(NULL);
    misuse_returned();
    abort();
}

static void control_crashes(size_t size) {
    (void)size;
    misuse_announce(NULL);
    raise(SIGSEGV);
}

static void control_fails(size_t size) {
    (void)size;
    _exit(3);
}

static void control_hangs(size_t size) {
    (void)size;
    misuse_announce(NULL);
    for (;;) pause();
}

const struct misuse_case misuse_controls[] = {
    {"control_right", true, false, control_right},
    {"control_aborts_at_once", false, false, control_aborts_at_once},
    {"control_aborts_later", false, false, control_aborts_later},
    {"control_crashes", false, false, control_crashes},
    {"control_fails", false, false, control_fails},
    {"control_hangs", false, false, control_hangs},
    {NULL, false, false, NULL},
};
