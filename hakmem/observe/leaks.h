/* SPDX-License-Identifier: MIT */
/* HAKMEM_LEAKS: the list of live blocks by call site, written when the process ends. */
#ifndef HAKMEM_OBSERVE_LEAKS_H
#define HAKMEM_OBSERVE_LEAKS_H

#include "hakmem/sample/record.h"

/* Writes it to a descriptor: a line with the sum, then one a path, most bytes first; if `finds_lost`, lost ones before others. Any
 * thread; allocates nothing from hakmem, and takes no lock unless finds_lost. */
void hak_leaks_report(const struct hak_profile_table *table, bool finds_lost, int descriptor);

#endif
