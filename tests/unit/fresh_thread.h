/* SPDX-License-Identifier: MIT */
/* For the tests of magazines and their stash: each works in a fresh thread, whose magazines are empty, with blocks of one
 * class. */
#ifndef TESTS_UNIT_FRESH_THREAD_H
#define TESTS_UNIT_FRESH_THREAD_H

#include <stdint.h>

#include "hakmem/magazine/exchange.h"
#include "hakmem/pool/pool.h"
#include "tests/harness/threads.h"

/* Small enough that its magazines have all their room from the start. */
#define CLASS 4u
#define CAPACITY (hak_classes[CLASS].magazine)
#define BLOCKS_MAX 1024

struct work {
    void *blocks[BLOCKS_MAX];
    void (*body)(struct work *work);
};

static inline void work_enter(void *argument, unsigned index) {
    struct work *work = (struct work *)argument;
    (void)index;
    work->body(work);
}

/* Runs the body in a thread that ends before this returns; what is in `blocks` stays. */
static inline void work_in_thread(struct work *work) { threads_run(1, work_enter, work); }

static inline void in_fresh_thread(void (*body)(struct work *work)) {
    struct work work = {{NULL}, body};
    work_in_thread(&work);
}

/* A block of the class, by the fast or the slow path. */
static inline void *class_block(unsigned class_index) {
    return pool_alloc(class_index, hak_classes[class_index].block_size);
}

static inline uint32_t loaded(void) { return exchange_loaded_level(hak_self, CLASS); }
static inline uint32_t returned(void) { return exchange_returned_level(hak_self, CLASS); }

#endif
