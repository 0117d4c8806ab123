/* SPDX-License-Identifier: MIT */
/* How the front takes huge blocks and gives them back: huge/, and what is sampled and purged on the way. Any thread; cold. */
#ifndef HAKMEM_POOL_HUGE_H
#define HAKMEM_POOL_HUGE_H

#include "hakmem/base/compiler.h"

/* Allocates a huge block; *zeroed says whether it reads zero. `site` is an address inside the program's call: the profile
 * names it, unless an outer function noted another one (hak_profile_site). NULL: no memory */
HAK_COLD void *hak_pool_alloc_huge(size_t size, size_t alignment, bool *zeroed, const void *site);

/* Frees the huge block that starts at p. false: none does. `caller` is the return address of the program's call, as purge_poll
 * wants it. */
HAK_COLD bool hak_pool_free_huge(void *p, const void *caller);

/* Gives the huge block at p another size above L2.5, by moving its pages. NULL: the kernel does not move them, and the block
 * stays as it is. */
HAK_COLD void *hak_pool_realloc_huge(void *p, size_t size);

#endif
