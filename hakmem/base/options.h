/* SPDX-License-Identifier: MIT */
/* Options: set by environment variables and by mallopt.
 *
 * The variable is initialised statically with the defaults. hak_options_init, which the allocator calls once while it
 * initialises itself, replaces them by what the environment says. Later only mallopt changes some; those are atomic.
 * Relaxed order is enough for them, because reading an old value for a moment does no harm. */
#ifndef HAKMEM_BASE_OPTIONS_H
#define HAKMEM_BASE_OPTIONS_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

enum hak_on_misuse {
    HAK_ON_MISUSE_ABORT,  /* one line on standard error, then abort */
    HAK_ON_MISUSE_REPORT, /* the line, and the program goes on; the pointer is left alone */
    HAK_ON_MISUSE_IGNORE, /* as report, without the line */
};

enum hak_thp {
    HAK_THP_NEVER,   /* never asks for huge pages */
    HAK_THP_MADVISE, /* asks for them wherever one fits: in regions, and in huge blocks of at least a huge page */
    HAK_THP_AUTO,    /* asks in regions after the first, once most of the first is resident, two seconds later */
};

enum hak_purge_thread {
    HAK_PURGE_THREAD_NEVER, /* 0: never started */
    HAK_PURGE_THREAD_ALONE, /* 1: started also in a process with one thread */
    HAK_PURGE_THREAD_AUTO,  /* started in a process with several threads */
};

/* What the full guard build does besides detecting invalid frees: HAKMEM_GUARD=all, none, or names joined by commas. */
enum hak_feature {
    HAK_FEATURE_ZERO = 1 << 0,       /* zero: blocks are cleared when they are freed */
    HAK_FEATURE_CHECK = 1 << 1,      /* check: and must still be clear when they are given out again; implies zero */
    HAK_FEATURE_CANARY = 1 << 2,     /* canary: bytes behind the requested size, which free checks for changes */
    HAK_FEATURE_QUARANTINE = 1 << 3, /* quarantine: freed blocks are reused late and in another order */
    HAK_FEATURE_RANDOM = 1 << 4,     /* random: the slab and the free block are chosen at random */
    HAK_FEATURE_PAGES = 1 << 5, /* pages: inaccessible pages behind slabs and large blocks, and in freed large ones */
    HAK_FEATURE_ZERO_SIZE = 1 << 6, /* zero_size: blocks of size 0 are inaccessible */
    HAK_FEATURE_METADATA = 1 << 7,  /* metadata: hakmem's own data lie between inaccessible pages */
    HAK_FEATURE_ALL = (1 << 8) - 1,
};

/* Bytes of a path, including the terminating 0. */
#define HAK_PATH_BYTES 4096

enum hak_stats_at_exit {
    HAK_STATS_AT_EXIT_NONE,
    HAK_STATS_AT_EXIT_TEXT, /* this and the rest in the order of enum hak_stats_format */
    HAK_STATS_AT_EXIT_JSON,
    HAK_STATS_AT_EXIT_PROMETHEUS,
};

/* The most that HAKMEM_PROFILE_FRAMES may be, and its default. */
#define PROFILE_FRAMES_MAX 32

struct hak_options {
    enum hak_on_misuse on_misuse;       /* HAKMEM_ON_MISUSE; constant after init */
    enum hak_thp thp;                   /* HAKMEM_THP; constant after init */
    unsigned guard;                     /* HAKMEM_GUARD: features; constant after init; 0 in other builds than full */
    int64_t purge_delay_ms;             /* atomic; HAKMEM_PURGE_DELAY_MS, mallopt: default 750; 0 at once; -1 never */
    enum hak_purge_thread purge_thread; /* HAKMEM_PURGE_THREAD; constant after init */
    size_t map_threshold; /* atomic; mallopt: huge blocks from this size on are unmapped when freed; SIZE_MAX: none */
    char profile[HAK_PATH_BYTES];    /* HAKMEM_PROFILE; constant after init; path of the profile, "": none */
    int dump_signal;                 /* HAKMEM_DUMP_SIGNAL; constant after init; number of a signal, 0: none */
    int64_t profile_frames;          /* HAKMEM_PROFILE_FRAMES; constant after init; callers kept of a sample */
    int64_t profile_rate;            /* HAKMEM_PROFILE_RATE; constant after init; bytes per sample, 0: not given */
    bool leaks;                      /* HAKMEM_LEAKS; constant after init */
    enum hak_stats_at_exit stats;    /* HAKMEM_STATS; constant after init */
    bool numa;                       /* HAKMEM_NUMA; constant after init */
    bool publish;                    /* HAKMEM_PUBLISH; constant after init */
    char stats_path[HAK_PATH_BYTES]; /* constant after init; where statistics go, "": standard error. A copy, because
                                      * programs overwrite their environment */
};

extern struct hak_options hak_options;

/* One environment variable. */
struct hak_option {
    const char *name;
    const char *allowed;            /* for the user: the values, and the default */
    const char *meaning;            /* for the user: a sentence */
    bool (*set)(const char *value); /* false, and nothing changed, where the value is not allowed */
};

/* Options that only this build has, for hak_options_init. pre: that was not called yet. They are kept, not copied. */
void hak_options_add(const struct hak_option *further, size_t count);

/* For `set`: decimal, with an optional minus, nothing before or behind it. false where it is not within low..high. */
bool hak_option_integer(const char *text, int64_t low, int64_t high, int64_t *out);

/* Reads every environment variable whose name starts with HAKMEM_. An unknown or malformed one changes nothing and
 * causes one line of warning. A process with raised privileges keeps the defaults. Allocates nothing. */
void hak_options_init(void);

#ifdef __cplusplus
}
#endif

#endif
