/* SPDX-License-Identifier: MIT */
/* An hour of a service in simulated time: a few blocks live for minutes amid many that live for a moment, load rises and
 * falls every ten minutes, and the sizes of one minute are not those of the next. What lives on pins what surrounds it:
 * peak memory by what is live is the figure that tells allocators apart.
 *
 * The long-lived blocks are those of the store (store.h), the others those of the thread's table, of which the load says
 * how many are live. The run ends with as many as it began with. Run by runner.c on the main thread. */
#include "bench/worker/workloads/sizes.h"
#include "bench/worker/workloads/store.h"

#define SECONDS 3600
#define MINUTE 60
#define LOAD_PERIOD 600 /* seconds from one low of the load to the next */
#define LOAD_MIN 64     /* blocks */
#define LOAD_MAX WORKLOAD_SLOTS
#define HOUR_SIZE_MAX 4096

/* One block in so many is long-lived, and takes the place of a random one: at the default count of operations such a
 * block lives for six minutes on average. */
#define LONG_LIVED_ONE_IN 32
#define LONG_LIVED 16384

/* Sizes of a minute are those of the distribution by one of so many factors. */
#define FACTORS 5

static unsigned load_of_second(unsigned second) {
    unsigned within = second % LOAD_PERIOD, half = LOAD_PERIOD / 2;
    unsigned rising = within < half ? within : LOAD_PERIOD - within;
    return LOAD_MIN + (LOAD_MAX - LOAD_MIN) * rising / half;
}

/* 7 and FACTORS have no common factor, so each minute's factor is another than the last one's. */
static unsigned factor_of_second(unsigned second) { return 1 + second / MINUTE * 7 % FACTORS; }

/* What a second has. */
struct hour_second {
    unsigned load, factor;
};

HAK_ALWAYS_INLINE void *hour_block(struct workload_thread *thread, uint64_t random, unsigned factor,
                                   struct verify_expect *expect, const enum workload_mode mode) {
    size_t size = (size_t)thread->size[random % WORKLOAD_SIZES] * factor;
    return block_tagged(thread, size, store_tag(random), expect, mode);
}

/* One block comes, and one goes unless the load rises. `live` counts the short-lived ones. */
HAK_ALWAYS_INLINE unsigned hour_operation(struct workload_thread *thread, unsigned live,
                                          const struct hour_second *second, const enum workload_mode mode) {
    uint64_t random = workload_random(thread);
    uint32_t bits = (uint32_t)(random >> 16);
    if (random >> 48 & (LONG_LIVED_ONE_IN - 1)) {
        unsigned slot = live < second->load ? live : workload_below(bits, live);
        if (slot < live) {
            block_tagged_free(thread, thread->block[slot], &thread->expect[slot], mode);
        }
        thread->block[slot] = hour_block(thread, random, second->factor, &thread->expect[slot], mode);
        return slot == live ? live + 1 : live;
    }
    unsigned slot = workload_below(bits, thread->slots);
    block_tagged_free(thread, store_block[slot], &store_expect[slot], mode);
    store_block[slot] = hour_block(thread, random, second->factor, &store_expect[slot], mode);
    return live;
}

/* Frees the newest slots' blocks until `wanted` are live. */
HAK_ALWAYS_INLINE unsigned hour_shrink(struct workload_thread *thread, unsigned live, unsigned wanted,
                                       const enum workload_mode mode) {
    while (live > wanted) {
        live--;
        block_tagged_free(thread, thread->block[live], &thread->expect[live], mode);
    }
    return live;
}

HAK_ALWAYS_INLINE void hour(struct workload_thread *thread, uint64_t operations, const enum workload_mode mode) {
    unsigned live = LOAD_MIN;
    uint64_t done = 0;
    for (unsigned number = 0; number < SECONDS; number++) {
        struct hour_second second = {load_of_second(number), factor_of_second(number)};
        live = hour_shrink(thread, live, second.load, mode);
        for (uint64_t end = operations * (number + 1) / SECONDS; done < end; done++) {
            live = hour_operation(thread, live, &second, mode);
        }
    }
    hour_shrink(thread, live, LOAD_MIN, mode);
}

static void hour_prepare(struct workload_thread *thread) {
    const enum workload_mode mode = block_untimed_mode(thread);
    sizes_draw_inverse_square(thread, HOUR_SIZE_MAX);
    for (unsigned slot = 0; slot < LOAD_MIN; slot++) {
        thread->block[slot] = hour_block(thread, workload_random(thread), 1, &thread->expect[slot], mode);
    }
    for (unsigned slot = 0; slot < thread->slots; slot++) {
        store_block[slot] = hour_block(thread, workload_random(thread), 1, &store_expect[slot], mode);
    }
}

static void hour_finish(struct workload_thread *thread) {
    const enum workload_mode mode = block_untimed_mode(thread);
    hour_shrink(thread, LOAD_MIN, 0, mode);
    for (unsigned slot = 0; slot < thread->slots; slot++) {
        block_tagged_free(thread, store_block[slot], &store_expect[slot], mode);
    }
}

WORKLOAD_LOOP(simulated_hour, hour)

const struct workload simulated_hour_workload = {
    .name = "simulated_hour",
    .description =
        "16 bytes to 20 KiB; 16,384 blocks that live for minutes amid up to 1,024 that come and go with the load, in "
        "3,600 simulated seconds",
    .source =
        "Johnstone and Wilson, The Memory Fragmentation Problem: Solved? (ISMM 1998): blocks that die at different "
        "times lie side by side",
    WORKLOAD_SINGLE,
    .unit = 1,
    .exact = false,
    .default_operations = 5000000,
    .quick_operations = 50000,
    .store_slots = LONG_LIVED,
    .prepare = hour_prepare,
    .finish = hour_finish,
    .run = WORKLOAD_RUN(simulated_hour),
};
