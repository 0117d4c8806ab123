/* SPDX-License-Identifier: MIT */
/* See calls.h.
 *
 * A call is four bytes: what, by whom and with which block; a size in two bytes; and one that what is called for uses.
 * Threads do nothing at the same time: each call is handed to a thread, and its result waited for. So the same bytes give
 * the same calls in the same order, remote frees and the ends of threads among them. */
#include "tests/fuzz/calls.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <string.h>

#include "hakmem/hakmem.h"
#include "tests/harness/pattern.h"

#define SLOTS 48u
#define WHOLE_MAX 4096u /* larger blocks are marked on each page only */
#define ALIGNMENT_SHIFTS 17u

struct calls_block {
    unsigned char *start; /* NULL: the slot is empty */
    size_t size, usable;
    uint64_t seed;
    bool is_aligned; /* its free is told no size: hak_free_sized takes none of these */
};

struct calls_one {
    unsigned what, slot;
    size_t size;
    unsigned extra;
};

enum calls_kind {
    CALLS_ALLOC,
    CALLS_CALLOC,
    CALLS_ALIGNED,
    CALLS_REALLOC,
    CALLS_FREE,
    CALLS_FREE_SIZED,
    CALLS_LOOK,
    CALLS_GIVE_BACK,
    CALLS_KINDS
};

static struct calls_block calls_blocks[SLOTS];
static uint64_t calls_seeds;
static const char *calls_wrong;

static struct calls_thread {
    pthread_t thread;
    sem_t wanted, done;
    const struct calls_one *call; /* NULL: the thread ends */
} calls_threads[CALLS_THREADS];

/* ---- The model -------------------------------------------------------------------------------------------------- */

static void calls_expect(bool holds, const char *what) {
    if (!holds && calls_wrong == NULL) {
        calls_wrong = what;
    }
}

static void calls_fill(struct calls_block *block) {
    block->seed = ++calls_seeds;
    if (block->size <= WHOLE_MAX) {
        pattern_fill(block->start, block->size, block->seed);
    } else {
        pattern_mark_pages(block->start, block->size, block->seed);
    }
}

/* Whether its first bytes, so many, still hold what was written. */
static bool calls_holds(const struct calls_block *block, const void *start, size_t size) {
    return block->size <= WHOLE_MAX ? pattern_holds(start, size, block->seed)
                                    : pattern_pages_hold(start, size, block->seed);
}

/* A new block that is live from now on. */
static void calls_note(struct calls_block *block, void *start, size_t size) {
    struct hak_owner_info info;
    memset(&info, 0, sizeof info);
    *block = (struct calls_block){.start = start, .size = size, .usable = hak_usable_size(start)};
    calls_expect(block->usable >= size, "fewer bytes can be used than were asked for");
    calls_expect(hak_owner(start, &info) && info.block == start, "a live block is not its owner's block");
    for (const struct calls_block *other = calls_blocks; other < calls_blocks + SLOTS; other++) {
        if (other != block && other->start != NULL) {
            calls_expect(block->start + block->usable <= other->start || other->start + other->usable <= block->start,
                         "two live blocks overlap");
        }
    }
    calls_fill(block);
}

static void calls_forget(struct calls_block *block) {
    calls_expect(calls_holds(block, block->start, block->size), "a live block's content changed");
    block->start = NULL;
}

/* ---- Calls -------------------------------------------------------------------------------------------------------- */

static void calls_free(struct calls_block *block, bool with_size) {
    void *const start = block->start;
    calls_forget(block);
    if (with_size) {
        hak_free_sized(start, block->size);
    } else {
        hak_free(start);
    }
}

static void calls_allocate(struct calls_block *block, const struct calls_one *call) {
    void *start = NULL;
    if (call->what == CALLS_CALLOC) {
        const size_t count = call->extra % 7 + 1, size = call->size / count;
        start = hak_calloc(count, size);
        calls_expect(start == NULL || pattern_all_zero(start, count * size), "calloc's block is not zero");
        if (start != NULL) {
            calls_note(block, start, count * size);
        }
    } else if (call->what == CALLS_ALIGNED) {
        const size_t alignment = (size_t)1 << call->extra % ALIGNMENT_SHIFTS;
        start = hak_aligned_alloc(alignment, call->size);
        calls_expect((uintptr_t)start % alignment == 0, "an aligned block is not aligned");
        if (start != NULL) {
            calls_note(block, start, call->size);
            block->is_aligned = true;
        }
    } else {
        start = hak_alloc(call->size);
        if (start != NULL) {
            calls_note(block, start, call->size);
        }
    }
    calls_expect(start != NULL, "there was no memory");
}

static void calls_realloc(struct calls_block *block, const struct calls_one *call) {
    const struct calls_block before = *block;
    const size_t kept = before.size < call->size ? before.size : call->size;
    block->start = NULL;
    unsigned char *const start = hak_realloc(before.start, call->size);
    if (before.start != NULL && call->size == 0) {
        calls_expect(start == NULL, "realloc to 0 gave a block");
        return;
    }
    calls_expect(start != NULL, "there was no memory");
    if (start != NULL) {
        calls_expect(before.start == NULL || calls_holds(&before, start, kept), "realloc lost content");
        calls_note(block, start, call->size);
    }
}

struct calls_found {
    unsigned live;
};

static bool calls_visit(const struct hak_walk_block *walked, void *argument) {
    struct calls_found *const found = argument;
    for (const struct calls_block *block = calls_blocks; block < calls_blocks + SLOTS; block++) {
        found->live += block->start != NULL && (unsigned char *)walked->start == block->start;
    }
    return true;
}

static void calls_look(const struct calls_one *call) {
    unsigned live = 0;
    struct calls_found found = {0};
    for (const struct calls_block *block = calls_blocks; block < calls_blocks + SLOTS; block++) {
        if (block->start != NULL) {
            live++;
            calls_expect(calls_holds(block, block->start, block->size), "a live block's content changed");
        }
    }
    if (call->extra % 4 == 0) {
        calls_expect(hak_walk(calls_visit, &found, NULL) == 0, "there was no memory for a walk");
        calls_expect(found.live == live, "a walk did not find each live block once");
    }
}

static void calls_give_back(const struct calls_one *call) {
    switch (call->extra % 4) {
    case 0: hak_thread_flush(); break;
    case 1: hak_thread_idle(); break;
    case 2: (void)hak_trim(); break;
    default: pthread_exit(NULL); /* which calls_hand notices */
    }
}

static void calls_make(const struct calls_one *call) {
    struct calls_block *const block = &calls_blocks[call->slot];
    switch ((enum calls_kind)call->what) {
    case CALLS_REALLOC: calls_realloc(block, call); break;
    case CALLS_LOOK: calls_look(call); break;
    case CALLS_GIVE_BACK: calls_give_back(call); break;
    case CALLS_FREE:
    case CALLS_FREE_SIZED:
        if (block->start != NULL) {
            calls_free(block, call->what == CALLS_FREE_SIZED && !block->is_aligned);
        }
        break;
    default:
        if (block->start != NULL) {
            calls_free(block, false);
        }
        calls_allocate(block, call);
    }
}

/* ---- Threads ------------------------------------------------------------------------------------------------------- */

static void calls_finish(void *done) { sem_post(done); }

static void *calls_thread(void *argument) {
    struct calls_thread *const self = argument;
    while (sem_wait(&self->wanted) == 0 && self->call != NULL) {
        pthread_cleanup_push(calls_finish, &self->done);
        calls_make(self->call);
        pthread_cleanup_pop(1);
    }
    return NULL;
}

static void calls_start(struct calls_thread *thread) {
    sem_init(&thread->wanted, 0, 0);
    sem_init(&thread->done, 0, 0);
    calls_expect(pthread_create(&thread->thread, NULL, calls_thread, thread) == 0, "there was no thread");
}

/* Has the thread make the call, or end where there is none. */
static void calls_hand(struct calls_thread *thread, const struct calls_one *call) {
    thread->call = call;
    sem_post(&thread->wanted);
    if (call != NULL) {
        sem_wait(&thread->done);
    }
    const bool ended = call == NULL || (call->what == CALLS_GIVE_BACK && call->extra % 4 == 3);
    if (ended) {
        pthread_join(thread->thread, NULL);
        sem_destroy(&thread->wanted);
        sem_destroy(&thread->done);
        if (call != NULL) {
            calls_start(thread);
        }
    }
}

/* ---- Bytes ---------------------------------------------------------------------------------------------------------- */

/* Small sizes are as likely as large ones; the last kind is huge. */
static size_t calls_size(unsigned low, unsigned high) {
    const size_t value = (size_t)(high & 0x3F) << 8 | low; /* below 16 Ki */
    switch (high >> 6) {
    case 0: return value % 1025;
    case 1: return value * 2;
    case 2: return value * 64;
    default: return value * 96;
    }
}

static struct calls_one calls_read(const uint8_t *bytes) {
    return (struct calls_one){
        .what = (bytes[0] & 15u) % CALLS_KINDS,
        .slot = bytes[3] % SLOTS,
        .size = calls_size(bytes[1], bytes[2]),
        .extra = bytes[3] / SLOTS + (bytes[0] >> 4 & 3u) * 6 + bytes[1] % 5u,
    };
}

const char *calls_run(const uint8_t *bytes, size_t count) {
    calls_wrong = NULL;
    for (unsigned i = 0; i < CALLS_THREADS; i++) {
        calls_start(&calls_threads[i]);
    }
    for (size_t at = 0; at + 4 <= count && calls_wrong == NULL; at += 4) {
        const struct calls_one call = calls_read(bytes + at);
        calls_hand(&calls_threads[(bytes[at] >> 6) % CALLS_THREADS], &call);
    }
    for (unsigned slot = 0; slot < SLOTS && calls_wrong == NULL; slot++) {
        const struct calls_one last = {.what = CALLS_FREE, .slot = slot};
        calls_hand(&calls_threads[slot % CALLS_THREADS], &last);
    }
    for (unsigned i = 0; i < CALLS_THREADS; i++) {
        calls_hand(&calls_threads[i], NULL);
    }
    return calls_wrong;
}
