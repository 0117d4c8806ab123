/* SPDX-License-Identifier: MIT */
/* The recorder: a preloaded library that writes down every call that a program makes to its allocator.
 *
 *   recorder.c            libc's names: each forwards to the next allocator and records the call
 *   recorder_operators.c  C++'s operators likewise
 *   recorder_process.c    _exit and exec, which end a program without its destructors
 *   recorder_events.c     numbers events and writes them into the calling thread's buffer
 *   recorder_threads.c    the buffers, one a thread
 *   recorder_blocks.c     address of each live block -> the number of the event that made it
 *   recorder_sites.c      return address and caller's site -> index of a call site
 *   recorder_callers.c    the callers of a call
 *   recorder_output.c     chunks into the file
 *   recorder_system.c     the system calls
 *   recorder_start.c      the first call in a process, and the last
 *   recorder_next.c       the next allocator, and blocks for the time before it is known
 *
 * The order of events. One counter numbers all events of a process. An allocation takes its number after the real
 * call has returned, a free before the real call begins; a realloc takes one before and one after, as a free and an
 * allocation. So the numbers agree with what happened to each address:
 *
 *   - Whoever frees a block was given its address, by whatever means the program has for that; so the allocation's
 *     increment happens before the free's, and gets the smaller number: increments of one variable have one order,
 *     and it agrees with happens-before, whatever the memory order of the increments.
 *   - The allocator gives an address out again only after it has got it back, which is the same relation from the
 *     free's increment to the next allocation's.
 *
 * Replayed in the order of their numbers, events therefore never free a block that is not there; and where a thread
 * frees what another allocated, the number of that allocation is all that it has to wait for.
 *
 * Locks, in the order in which they are taken: registry, one thread's buffer, output, sites. A shard of the blocks is
 * taken alone. The number is taken and the record written under the lock of the buffer: whoever holds all buffers'
 * locks in turn, after `closed` is set, has seen every number that was given out written down.
 *
 * fork. All state lies in one mapping that the kernel gives the child as zeros (MADV_WIPEONFORK). The child finds
 * `ready` unset and starts a trace of its own; no lock and no half-written record crosses, however it was forked. */
#ifndef BENCH_TRACE_RECORDER_H
#define BENCH_TRACE_RECORDER_H

#include "bench/trace/format.h"
#include "bench/trace/recorder_lock.h"
#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"

#include <limits.h>
#include <link.h>
#include <pthread.h>

#define RECORDER_API __attribute__((visibility("default")))
#define RECORDER_CALLER __builtin_return_address(0)

/* A buffer holds some ten thousand records. */
#define RECORDER_BUFFER_BYTES 32768

/* The whole records of a buffer. */
struct recorder_records {
    uint64_t last; /* number of the last one */
    uint32_t used; /* bytes */
    uint32_t events;
};

struct recorder_thread {
    struct recorder_lock lock;
    struct recorder_thread *next;      /* constant once it is listed */
    struct recorder_thread *next_idle; /* registry lock */
    uint32_t number;                   /* all below: its own lock */
    uint32_t whole;                    /* which of the two below holds; atomic, for a signal's handler */
    struct recorder_records records[2];
    uint32_t until_clock; /* events until it looks whether a flush is due */
    uint32_t site;        /* of the last record with one; 0 at a chunk's start */
    uint64_t first;       /* number of the first record */
    uint8_t buffer[RECORDER_BUFFER_BYTES];
};

/* pre: the lock is held, if not by the caller then by what its signal handler interrupted */
HAK_ALWAYS_INLINE struct recorder_records recorder_records(const struct recorder_thread *thread) {
    return thread->records[hak_load_relaxed(&thread->whole)]; /* relaxed: the lock orders, or it is the same thread */
}

/* In one step: a handler that interrupts this finds the records of before or those of now. */
HAK_ALWAYS_INLINE void recorder_set_records(struct recorder_thread *thread, struct recorder_records now) {
    const uint32_t other = 1 - hak_load_relaxed(&thread->whole);
    thread->records[other] = now;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    hak_store_relaxed(&thread->whole, other); /* relaxed: as above */
}

/* Live blocks whose addresses hash alike. The table doubles before it is three quarters full. */
struct recorder_block {
    uintptr_t address; /* 0: free slot */
    uint64_t number;
};
struct recorder_shard {
    HAK_CACHE_ALIGNED struct recorder_lock lock;
    struct recorder_block *slots;
    size_t capacity; /* 0 or a power of two */
    size_t used;
};
#define RECORDER_SHARDS 64

struct recorder_module {
    const struct link_map *map;
    uintptr_t bias;    /* what the file's addresses are shifted by in memory */
    uint32_t name_crc; /* an unloaded library's record is used again for another */
};

#define RECORDER_SITE_SLOTS (2 * TRACE_SITES_MAX)
#define RECORDER_PAYLOAD_BYTES 65536

/* All that belongs to one process. Zero in a forked child. */
struct recorder {
    uint32_t ready;      /* atomic: release when all else is set up */
    uint32_t closed;     /* atomic: nothing more is recorded */
    uint32_t failed;     /* atomic: it was said why nothing more is recorded */
    bool opened;         /* output lock: the file exists */
    bool forked;         /* constant: a child of a process that was recorded, without an exec between */
    pid_t pid;           /* constant */
    uint64_t start_ns;   /* constant; monotonic clock */
    uint64_t flush_ns;   /* atomic: when all buffers were last written */
    char path[PATH_MAX]; /* output lock; of this process's trace */

    HAK_CACHE_ALIGNED uint64_t events; /* atomic: numbers given out */

    HAK_CACHE_ALIGNED struct recorder_lock registry_lock;
    struct recorder_thread *threads; /* all buffers */
    struct recorder_thread *idle;    /* of threads that ended */
    uint32_t thread_count;           /* numbers given out */

    struct recorder_lock sites_lock;
    uint32_t site_count;                       /* sites lock; the first has index 1 */
    const void *site_address[TRACE_SITES_MAX]; /* by index; sites lock */
    uint32_t site_caller[TRACE_SITES_MAX];     /* likewise; 0: not known */
    uint32_t site_index[RECORDER_SITE_SLOTS];  /* atomic: 0, or set once by a release under the sites lock */

    struct recorder_lock output_lock;
    uint32_t sites_written, modules_known; /* output lock, as all below */
    struct recorder_module modules[TRACE_MODULES_MAX];
    uint8_t payload[RECORDER_PAYLOAD_BYTES];

    struct recorder_shard shards[RECORDER_SHARDS];
};

/* What outlives fork, set once in the first process of an image. */
struct recorder_settings {
    char path[PATH_MAX]; /* HAKTRACE_FILE; empty: nothing is recorded */
    uint64_t limit;      /* HAKTRACE_LIMIT: events of a process; UINT64_MAX: as many as there are */
    uint64_t frames;     /* HAKTRACE_FRAMES: callers of each call, at most TRACE_FRAMES_MAX */
    bool children;       /* HAKTRACE_CHILDREN=0: only the first process is recorded */
    pthread_key_t key;   /* its destructor tells a thread's end */
    bool have_key;
};

/* The calling thread's. */
struct recorder_self {
    struct recorder_thread *thread; /* NULL: none yet, or it has ended */
    uint32_t number;                /* of the thread, where `numbered` */
    bool numbered, ended;
    bool inside;          /* the recorder itself is at work: calls from within are not the program's */
    uint8_t destructions; /* rounds of its key's destructor */
};

extern struct recorder *recorder_state;            /* NULL until the first call */
extern struct recorder_settings recorder_settings; /* valid with recorder_state */
extern HAK_THREAD_LOCAL struct recorder_self recorder_self;

/* ---- recorder_start.c ---- */

/* true where the caller's event is to be recorded; `inside` is then set, and recorder_leave ends it. */
bool recorder_enter(void);
HAK_ALWAYS_INLINE void recorder_leave(void) { recorder_self.inside = false; }

/* Says what cannot be done, once, and records nothing more: the trace is incomplete. */
void recorder_give_up(const char *what, const char *of, int error);

/* Writes what is buffered and the end of the trace. false where it was closed before, or in a process that only
 * borrows this one's memory, as after vfork. */
bool recorder_close(enum trace_end reason);
void recorder_reopen(void); /* an exec that was closed for has failed */

/* ---- recorder_events.c ---- */

struct recorder_event {
    enum trace_kind kind;
    bool has_age, has_site;
    uint8_t numbers; /* of the fields between age and site */
    uint64_t block;  /* where has_age: the event that made the block; 0: none */
    uint64_t number[2];
    const void *caller;
};

/* The event's number; 0 where it came after the end of the trace. */
uint64_t events_add(const struct recorder_event *event);

/* ---- recorder_threads.c ---- */

/* The calling thread's buffer; NULL where there is no memory for one. */
struct recorder_thread *threads_mine(void);
void threads_release(void); /* gives it back, written out; a further event gets another */
void threads_flush_all(void);
void threads_destructor(void *unused); /* of recorder_settings.key */

/* ---- recorder_blocks.c ---- */

/* The block at p is now `number`. Returns the number of a block that was there before, 0 for none. */
uint64_t blocks_put(const void *p, uint64_t number);
uint64_t blocks_take(const void *p); /* forgets the block; its number, 0 where it is unknown */

/* ---- recorder_sites.c ---- */

uint32_t sites_index(
    const void *caller); /* of the call that returns to `caller`, and its callers; 0: there is no room */
void sites_write(void);  /* what was found since the last call, into the file */

/* ---- recorder_callers.c ---- */

/* Where the callers of the call that returns to `caller` go on, innermost first, as many as recorder_settings.frames at most.
 * Returns their number: 0 where the unwinder does not find the call. */
unsigned callers_find(const void *caller, const void *found[TRACE_FRAMES_MAX]);

/* ---- recorder_output.c ---- */

void output_open(void); /* the trace's file, with its header, unless it is open */
void output_chunk(enum trace_chunk_type type, uint32_t thread, const uint8_t *payload, size_t length);
void output_events(struct recorder_thread *thread); /* and empties the buffer; pre: its lock is held */
void output_end(enum trace_end reason);
size_t output_string(uint8_t *at, const char *text, size_t length); /* returns bytes written */

/* ---- recorder_system.c ---- */

uint64_t system_clock_ns(bool coarse); /* monotonic */
pid_t system_pid(void);
bool system_write(const char *path, const void *start, size_t start_length, const void *rest, size_t rest_length);
bool system_create(const char *path);                           /* false with errno EEXIST where it is there */
size_t system_read(const char *path, char *bytes, size_t size); /* a file's first bytes; 0 where it cannot be read */
size_t system_executable(char *path, size_t size);              /* its length; 0 where the kernel does not tell */
void system_say(const char *what, const char *of, int error);   /* a line on standard error */

/* Fresh zeroed pages, NULL where there are none. `wiped`: a forked child gets them as zeros. */
void *system_pages(size_t bytes, bool wiped);

#endif
