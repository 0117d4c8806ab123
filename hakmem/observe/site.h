/* SPDX-License-Identifier: MIT */
/* Allocations by site, for hak_alloc_at: exact counts in a fixed table, without a lock. */
#ifndef HAKMEM_OBSERVE_SITE_H
#define HAKMEM_OBSERVE_SITE_H

#include "hakmem/hakmem.h"

/* Counts one allocation of `size` bytes. Where the table is full, a new site is not counted. Any thread. */
void hak_site_count(const void *site, size_t size);

#endif
