/* SPDX-License-Identifier: MIT */
/* A library that allocates in its constructors and destructors; preloaded, or opened and closed.
 *
 * Preloaded before or behind libhakmem.so, its constructors run before the program's, its destructors after. */
#include "tests/preload/surface/stages.h"

static struct stage_kept first, second;

__attribute__((constructor(101))) static void construct_first(void) {
    stage_keep(&first, "library constructor 101");
    stage_churn("library constructor 101");
}

__attribute__((constructor)) static void construct(void) {
    stage_keep(&second, "library constructor");
    stage_churn("library constructor");
}

__attribute__((destructor)) static void destruct(void) {
    stage_drop(&second, "library destructor");
    stage_churn("library destructor");
}

__attribute__((destructor(101))) static void destruct_last(void) {
    stage_drop(&first, "library destructor 101");
    stage_churn("library destructor 101");
}

/* For who opens the library: blocks that outlive it. */
void library_keep(struct stage_kept *kept) { stage_keep(kept, "library_keep"); }
