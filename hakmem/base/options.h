/* What the environment may choose.
 *
 * The values are those below from the first instruction of the process on; options_init, which the allocator
 * calls once while it initialises itself, replaces them by what the environment says. Afterwards they are
 * constant, so any thread reads them without a lock. */
#ifndef HAKMEM_BASE_OPTIONS_H
#define HAKMEM_BASE_OPTIONS_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hak_options {
    int misuse_abort;       /* HAKMEM_ON_MISUSE: 1 abort (default), 0 ignore */
    int64_t purge_delay_ms; /* HAKMEM_PURGE_DELAY_MS: default 1000; 0 at once; -1 never */
};

extern struct hak_options hak_options; /* constant after options_init */

/* Reads every variable whose name starts with HAKMEM_; what is unknown or malformed is warned about, one line
 * each, and changes nothing. A process with raised privileges keeps the defaults. Allocates nothing. */
void options_init(void);

#ifdef __cplusplus
}
#endif

#endif
