/* SPDX-License-Identifier: MIT */
/* The profile in the formats of pprof. Both hold all allocations and the live blocks. */
#ifndef HAKMEM_OBSERVE_PPROF_H
#define HAKMEM_OBSERVE_PPROF_H

#include "hakmem/base/text.h"
#include "hakmem/os/maps.h"
#include "hakmem/sample/record.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The protocol buffer of pprof (proto/profile.proto of github.com/google/pprof): four values a sample, alloc_objects,
 * alloc_space, inuse_objects, inuse_space, scaled to estimates. */
int hak_pprof_write(struct hak_text *output, const struct hak_profile_table *table, const struct maps *maps);

/* The text that google-pprof of gperftools reads: counts of samples, which it scales itself. */
void hak_pprof_write_text(struct hak_text *output, const struct hak_profile_table *table, const struct maps *maps);

#ifdef __cplusplus
}
#endif

#endif
