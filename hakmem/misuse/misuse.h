/* SPDX-License-Identifier: MIT */
/* Reports of misuse, and of warnings (warning.h).
 *
 * Called from the cold paths of free, realloc and the sized frees, by any thread, with or without locks held.
 * A report takes no lock, allocates nothing, keeps errno and is async-signal-safe: one line is put together
 * on the stack and leaves in one write(2), so that lines of several threads do not mix. */
#ifndef HAKMEM_MISUSE_MISUSE_H
#define HAKMEM_MISUSE_MISUSE_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/warning.h"

#ifdef __cplusplus
extern "C" {
#endif

enum hak_misuse {
    HAK_MISUSE_FOREIGN,          /* not a block of hakmem */
    HAK_MISUSE_INTERIOR,         /* within a block, not its start */
    HAK_MISUSE_DOUBLE_FREE,      /* given back, and free already */
    HAK_MISUSE_FREED,            /* used otherwise, and free already */
    HAK_MISUSE_SIZE,             /* freed with a size that does not fit the block */
    HAK_MISUSE_ALIGNMENT,        /* freed with an alignment that does not fit the block */
    HAK_MISUSE_OVERFLOW,         /* the bytes behind the block were written */
    HAK_MISUSE_WRITE_AFTER_FREE, /* the block was written while it was free */
};

/* What is known of a misuse. Addresses of calls are return addresses, NULL where they are not known. */
struct hak_misuse_report {
    enum hak_misuse kind;
    const char *operation; /* "free", "realloc", ... */
    const void *p;         /* what it was asked to work on */
    const void *caller;    /* the call that is wrong */
    const void *block;     /* start of the block that p lies in; NULL: none is known, or none was ever there */
    size_t block_size;     /* bytes; 0: not known */
    unsigned class_index;  /* 0: huge, or not known */
    uint64_t owner;        /* number of the thread that owns the block's slab; 0: nobody does */
    uint64_t thread;       /* number of the calling thread; 0: it has none */
    bool is_late;          /* the call returned, and it was found when what it left behind was looked at */
};

/* Where a block was allocated last, and freed last; NULL: not known. */
struct hak_misuse_sites {
    const void *allocated, *freed;
    const uint64_t *callers; /* of the allocation, innermost first; addresses within the calls */
    size_t caller_count;
};

/* Whoever keeps the sites of blocks sets this, before there is a second thread; NULL: nobody does. It is called on the
 * way to an abort, by any thread: it allocates nothing and waits for no lock. `block` is the start of the block, or the pointer
 * that was given, where no block is known to be there any more. pre: *sites is zero */
extern void (*hak_misuse_sites_of)(const void *block, struct hak_misuse_sites *sites);

/* One report in one write: the line of hak_report_misuse and, in builds with guard, what else is known, a line each. */
HAK_COLD void hak_report_misuse_of(const struct hak_misuse_report *report);

/* Says that hakmem's own data contradict each other, and aborts, whatever hak_options.on_misuse says: the program wrote
 * where it must not, and to go on would give its blocks out again. `what` at the address `where` ("slab", "thread") is
 * what contradicts itself, and `how` says how. A handler of SIGABRT runs once: if it comes here again, the process ends in it, by
 * that signal. */
HAK_COLD __attribute__((noreturn)) void hak_report_corruption(const char *what, const void *where, const char *how);

/* Says what `operation` ("free", "realloc", ...) was asked to do with p; `block_size` is in bytes, 0 where it
 * is not known. hak_options.on_misuse says whether
 * there is a line, and whether it aborts; where it does not, the caller leaves p alone and goes on. */
HAK_COLD void hak_report_misuse(enum hak_misuse kind, const char *operation, const void *p, size_t block_size);

#ifdef __cplusplus
}
#endif

#endif
