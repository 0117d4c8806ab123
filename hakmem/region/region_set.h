/* Which 32 MiB-aligned addresses are regions: the limited form's answer where there is no page map.
 *
 * Added to under the region lock, asked by any thread without one. Empty in the flat form. */
#ifndef HAKMEM_REGION_REGION_SET_H
#define HAKMEM_REGION_REGION_SET_H

#include "hakmem/base/compiler.h"

/* ENOMEM where the set is full. */
int region_set_add(const void *region);

/* Any address is allowed. */
bool region_set_has(const void *region);

#endif
