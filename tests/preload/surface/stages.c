/* SPDX-License-Identifier: MIT */
/* malloc and free before main, in main, and after it: in .preinit_array and constructors, atexit handlers and
 * destructors; in a library that is opened and closed, argv[1], where there is one. Ends in the last destructor. */
#include <fcntl.h>

#include "tests/preload/surface/check.h"
#include "tests/preload/surface/stages.h"

static struct stage_kept earliest, early, usual, of_main, of_library;
static int stages; /* run so far */

static void stage(int number) {
    CHECK(stages == number);
    stages++;
}

static void preinit(void) {
    stage(0);
    stage_keep(&earliest, "preinit");
    stage_churn("preinit");
}
__attribute__((section(".preinit_array"), used)) static void (*const preinit_entry)(void) = preinit;

__attribute__((constructor(101))) static void construct_first(void) {
    stage(1);
    stage_keep(&early, "constructor 101");
    stage_churn("constructor 101");
}

__attribute__((constructor)) static void construct(void) {
    stage(2);
    stage_keep(&usual, "constructor");
}

#ifndef SURFACE_LINKED /* a static program had better not open libraries */
static void open_and_close(const char *path) {
    for (int round = 0; round < 3; round++) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        CHECK(library != NULL);
        void (*keep)(struct stage_kept *);
        *(void **)&keep = dlsym(library, "library_keep");
        keep(&of_library);
        CHECK(dlclose(library) == 0);
        CHECK(dlopen(path, RTLD_NOW | RTLD_NOLOAD) == NULL);
        stage_drop(&of_library, "after dlclose");
    }
}
#endif

static void at_exit_last(void) {
    stage(5);
    stage_drop(&of_main, "atexit");
    stage_churn("atexit");
}

static void at_exit_first(void) {
    stage(4);
    stage_drop(&usual, "atexit");
}

__attribute__((destructor)) static void destruct(void) {
    stage(6);
    stage_drop(&early, "destructor");
    stage_churn("destructor");
}

__attribute__((destructor(101))) static void destruct_last(void) {
    stage(7);
    stage_drop(&earliest, "destructor 101");
    stage_churn("destructor 101");
    if (check_done() != 0) {
        fflush(stdout);
        _exit(1);
    }
}

int main(int argc, char **argv) {
    stage(3);
#ifndef SURFACE_LINKED
    if (argc > 1) {
        open_and_close(argv[1]);
    }
#endif
    stage_keep(&of_main, "main");
    CHECK(atexit(at_exit_last) == 0 && atexit(at_exit_first) == 0);
    return 0;
}
