/* SPDX-License-Identifier: MIT */
/* Counts of successful calls of primitives.
 *
 * The primitives update them from any thread; the statistics and tests read them. */
#include "hakmem/os/linux/linux.h"

struct os_counters hak_linux_counters;

void hak_os_counters_get(struct os_counters *counters) {
    /* Relaxed: each count is right by itself; together they are a snapshot only while no thread calls. */
    counters->maps = hak_load_relaxed(&hak_linux_counters.maps);
    counters->unmaps = hak_load_relaxed(&hak_linux_counters.unmaps);
    counters->purges = hak_load_relaxed(&hak_linux_counters.purges);
    counters->remaps = hak_load_relaxed(&hak_linux_counters.remaps);
    counters->mapped_bytes = hak_load_relaxed(&hak_linux_counters.mapped_bytes);
    counters->purged_bytes = hak_load_relaxed(&hak_linux_counters.purged_bytes);
}
