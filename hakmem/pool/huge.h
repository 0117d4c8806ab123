/* SPDX-License-Identifier: MIT */
/* How the front takes huge blocks and gives them back: huge/, and what is sampled and purged on the way. Any thread; cold. */
#ifndef HAKMEM_POOL_HUGE_H
#define HAKMEM_POOL_HUGE_H

#include "hakmem/base/compiler.h"

/* hak_huge_alloc. `site`: an address within the program's call, where no function further out has noted another. */
HAK_COLD void *hak_pool_alloc_huge(size_t size, size_t alignment, bool *zeroed, const void *site);

/* hak_huge_free. `caller` as in purge_poll. */
HAK_COLD bool hak_pool_free_huge(void *p, const void *caller);

/* The huge block at p for another size above L2.5, by moving pages. NULL: the kernel does not move it, and it stays. */
HAK_COLD void *hak_pool_realloc_huge(void *p, size_t size);

#endif
