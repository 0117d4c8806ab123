/* SPDX-License-Identifier: MIT */
/* What realloc has in common with that of full guard builds. */
#ifndef HAKMEM_FRONT_REALLOC_H
#define HAKMEM_FRONT_REALLOC_H

#include "hakmem/base/compiler.h"

/* The huge block at p for another size above L2.5, by moving pages. NULL: the kernel does not move it, and it stays. */
void *hak_realloc_huge(void *p, size_t size);

#endif
