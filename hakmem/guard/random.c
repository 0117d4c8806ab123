/* SPDX-License-Identifier: MIT */
/* See random.h. */
#include "hakmem/guard/random.h"

#include <string.h>

#include "hakmem/os/os.h"

/* The best attack that is known reaches 7 rounds, and takes 2^230 steps for it. */
#define RANDOM_ROUNDS 8

/* Where everything may be known but the key: as many rounds as the function has. */
#define RANDOM_ROUNDS_WEAK 20

HAK_STATIC_ASSERT((GUARD_RANDOM_KEY_WORDS + GUARD_RANDOM_WORDS) * sizeof(uint64_t) <=
                      CHACHA_WORDS * sizeof(chacha_lanes),
                  "what four blocks give is enough");

HAK_THREAD_LOCAL struct guard_random hak_guard_random_own;

static uint64_t random_era_kept; /* atomic; where the page is not to be had */
uint64_t *hak_guard_random_era = &random_era_kept;

static uint64_t random_weak_count; /* atomic */

/* Early in the boot, or behind a filter of system calls. The process has 16 random bytes from its start, which the C library
 * uses too: so they are the key of a function that nobody turns around. */
static void random_weak(uint64_t secret[GUARD_RANDOM_KEY_WORDS]) {
    uint32_t key[CHACHA_KEY_WORDS];
    chacha_lanes blocks[CHACHA_WORDS];
    const uint64_t stack = (uintptr_t)blocks,
                   data = (uintptr_t)&hak_guard_random_own ^ (uintptr_t)&random_weak_count << 16;
    const uint64_t clock = hak_os_clock_ms();
    /* Relaxed: nothing but different. */
    const uint64_t count = hak_fetch_add_relaxed(&random_weak_count, 1);
    const uint32_t nonce[CHACHA_NONCE_WORDS] = {(uint32_t)count, hak_os_thread_id(), (uint32_t)clock};
    hak_os_process_random(key);
    memcpy(key + 4, &stack, sizeof stack);
    memcpy(key + 6, &data, sizeof data);
    hak_chacha_blocks(key, nonce, RANDOM_ROUNDS_WEAK, blocks);
    memcpy(secret, blocks, GUARD_RANDOM_KEY_WORDS * sizeof *secret);
}

static void random_secret(uint64_t secret[GUARD_RANDOM_KEY_WORDS]) {
    if (hak_os_random(secret, GUARD_RANDOM_KEY_WORDS * sizeof *secret) != 0) {
        random_weak(secret);
    }
}

uint64_t hak_guard_random_seed(void) {
    uint64_t secret[GUARD_RANDOM_KEY_WORDS];
    random_secret(secret);
    return secret[0];
}

void hak_guard_random_init(void) {
    void *page;
    if (hak_os_map_wiped(hak_os_page_size(), &page) == 0) {
        hak_guard_random_era = page;
    }
}

/* Drawn, not counted: a thread that has the number of the process that it was copied from must not meet it again. */
uint64_t hak_guard_random_this_era(void) {
    uint64_t era = hak_load_relaxed(hak_guard_random_era); /* Relaxed: see guard_random_bits. */
    if (era == 0) {
        const uint64_t drawn = hak_guard_random_seed() | 1;
        /* Acquire-release: of two threads' numbers one holds; nothing else hangs on it. */
        if (hak_compare_exchange_acq_rel(hak_guard_random_era, &era, drawn)) {
            era = drawn;
        }
    }
    return era;
}

/* What nobody reads again, which the compiler would leave out. */
static void random_erase(void *bytes, size_t size) {
    memset(bytes, 0, size);
    __asm__ volatile("" : : "r"(bytes) : "memory");
}

void hak_guard_random_refill(void) {
    static const uint32_t nonce[CHACHA_NONCE_WORDS] = {0, 0, 0}; /* no key is used twice */
    struct guard_random *own = &hak_guard_random_own;
    uint32_t key[CHACHA_KEY_WORDS];
    chacha_lanes blocks[CHACHA_WORDS];
    const uint64_t era = hak_guard_random_this_era();
    if (own->era != era) {
        random_secret(own->key);
        own->era = era;
    }
    memcpy(key, own->key, sizeof key);
    hak_chacha_blocks(key, nonce, RANDOM_ROUNDS, blocks);
    memcpy(own->key, blocks, sizeof own->key);
    memcpy(own->words, (const char *)blocks + sizeof own->key, sizeof own->words);
    own->left = GUARD_RANDOM_WORDS;
    random_erase(key, sizeof key);
    random_erase(blocks, sizeof own->key + sizeof own->words);
}

/* Where the era has a page, the kernel has done so. Not what is left to draw: the fork may have been made by a signal's handler,
 * in the middle of a draw, which goes on in the child. */
void hak_guard_random_fork_child(void) {
    hak_store_relaxed(hak_guard_random_era, (uint64_t)0); /* Relaxed: one thread. */
}
