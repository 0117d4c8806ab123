/* SPDX-License-Identifier: MIT */
/* What a pointer is that is not the start of a live block, and what there is to say of a block: for the report. */
#ifndef HAKMEM_FRONT_MISUSE_H
#define HAKMEM_FRONT_MISUSE_H

#include "hakmem/base/compiler.h"
#include "hakmem/misuse/misuse.h"

/* Reports that `operation`, called from `caller`, was asked to work on p: inside a block, where a block was, or not
 * hakmem's at all. `freed` is what it is where a block was. pre: no live block starts at p */
HAK_COLD void hak_misuse_stop(enum hak_misuse freed, const char *operation, const void *p, const void *caller);

/* Whether p lies nowhere where hakmem has blocks, or had any. pre: no live block starts at p */
HAK_COLD bool hak_misuse_is_foreign(const void *p);

/* Reports what is wrong with a call that names the live block at p. */
HAK_COLD void hak_misuse_report_block(enum hak_misuse kind, const char *operation, const void *p, const void *caller);

#endif
