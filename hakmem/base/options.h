/* What the environment may choose, and mallopt.
 *
 * The values are those below from the first instruction of the process on; options_init, which the allocator
 * calls once while it initialises itself, replaces them by what the environment says. Later only mallopt changes
 * some, so those are atomic; a value read a little late does no harm, and relaxed is order enough. */
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
    HAK_THP_NEVER,   /* asks the system for none */
    HAK_THP_MADVISE, /* asks for them wherever one fits: regions, and huge blocks of its size and more */
    HAK_THP_AUTO,    /* in regions after a process's first */
};

struct hak_options {
    enum hak_on_misuse on_misuse; /* HAKMEM_ON_MISUSE; constant after init */
    enum hak_thp thp;             /* HAKMEM_THP; constant after init */
    int64_t purge_delay_ms;       /* atomic; HAKMEM_PURGE_DELAY_MS: default 1000; 0 at once; -1 never */
    int64_t trim_threshold;       /* atomic; mallopt: more bytes than this that wait are purged at once; -1: no such limit */
    size_t map_threshold;         /* atomic; mallopt: huge blocks from this size on are unmapped when freed; SIZE_MAX: none */
};

extern struct hak_options hak_options;

/* Reads every variable whose name starts with HAKMEM_; what is unknown or malformed is warned about, one line
 * each, and changes nothing. A process with raised privileges keeps the defaults. Allocates nothing. */
void options_init(void);

#ifdef __cplusplus
}
#endif

#endif
