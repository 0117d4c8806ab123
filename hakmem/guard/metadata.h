/* SPDX-License-Identifier: MIT */
/* Inaccessible pages around hakmem's own data: region headers, thread records and block tables. The two flat tables, page map and
 * shadow, are made read-only except for the entries of regions.
 *
 * Any thread, no lock. If the system refuses the pages because the process has too many mappings, the data goes without them. */
#ifndef HAKMEM_GUARD_METADATA_H
#define HAKMEM_GUARD_METADATA_H

#include "hakmem/base/compiler.h"
#include "hakmem/guard/guard.h"

/* hak_os_map of `size` bytes, with an inaccessible page on either side where the feature is on. ENOMEM */
int hak_metadata_map(size_t size, void **out);

/* hak_metadata_map for records of one size, which are never given back: the first few have a page on either side each, later ones
 * lie side by side, METADATA_TOGETHER in a mapping, so that thousands of threads leave the program its mappings.
 * pre: the caller's lock is held, the same for every call */
#define METADATA_TOGETHER 16u
#define METADATA_ALONE 16u
int hak_metadata_map_record(size_t size, void **out);

/* Takes away what hak_metadata_map gave. */
int hak_metadata_unmap(void *start, size_t size);

/* hak_os_reserve of a flat table of `size` bytes with what hak_metadata_protect_table needs on either side. ENOMEM */
int hak_metadata_reserve(size_t size, void **out);

/* Makes the pages before and behind those that the table lies in inaccessible: when the options are known, which is later.
 * pre: hak_metadata_reserve reserved them */
void hak_metadata_protect_table(void *table, size_t size);

#endif
