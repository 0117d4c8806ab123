/* Reports of misuse, and of warnings (warning.h).
 *
 * Called from the cold paths of free, realloc and the sized frees, by any thread, with or without locks held.
 * A report takes no lock, allocates nothing, keeps errno and is async-signal-safe: one line is put together
 * on the stack and leaves in one write(2), so that lines of several threads do not mix. */
#ifndef HAKMEM_BASE_REPORT_H
#define HAKMEM_BASE_REPORT_H

#include "hakmem/base/compiler.h"
#include "hakmem/base/warning.h"

#ifdef __cplusplus
extern "C" {
#endif

enum hak_misuse {
    HAK_MISUSE_FOREIGN,     /* not a block of hakmem */
    HAK_MISUSE_INTERIOR,    /* within a block, not its start */
    HAK_MISUSE_DOUBLE_FREE, /* the block is free already */
    HAK_MISUSE_SIZE,        /* freed with a size that does not fit the block */
};

/* Says what `operation` ("free", "realloc", ...) was asked to do with p; `block_size` is in bytes, 0 where it
 * is not known. hak_options.on_misuse says whether
 * there is a line, and whether it aborts; where it does not, the caller leaves p alone and goes on. */
HAK_COLD void report_misuse(enum hak_misuse kind, const char *operation, const void *p, size_t block_size);

#ifdef __cplusplus
}
#endif

#endif
