/* SPDX-License-Identifier: MIT */
/* HAKMEM_LEAKS: the list of live blocks by call site, written when the process ends. */
#ifndef HAKMEM_OBSERVE_LEAKS_H
#define HAKMEM_OBSERVE_LEAKS_H

#include "hakmem/sample/record.h"

/* Writes it to a descriptor: a line with the sum, then one a site, most bytes first. Any thread; allocates nothing from
 * hakmem. */
void hak_leaks_report(const struct hak_profile_table *table, int descriptor);

#endif
