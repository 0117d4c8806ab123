/* What a pointer is that is not the start of a live block: for the report. */
#ifndef HAKMEM_FRONT_MISUSE_H
#define HAKMEM_FRONT_MISUSE_H

#include "hakmem/base/compiler.h"

/* Reports that `operation` was asked to work on p: inside a block, where a block was, or not
 * hakmem's at all. */
HAK_COLD void misuse_report(const char *operation, const void *p);

#endif
