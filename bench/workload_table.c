/* The workloads by name. A new one is a row here and a loop in a workload_*.c file; constant data. */
#include "bench/workload.h"

#include <string.h>

const struct workload workload_table[] = {
    {"pair", "8 to 64 bytes, one block allocated and freed at once", 1, 1, NULL, tiny_pair_run,
     tiny_pair_run_verified},
    {"batch", "8 to 64 bytes, 100 blocks allocated, then freed last first", TINY_BATCH, 1, NULL, tiny_batch_run,
     tiny_batch_run_verified},
    {"replacement", "8 to 64 bytes, a random one of 1,024 blocks replaced", 1, 1, NULL, tiny_replacement_run,
     tiny_replacement_run_verified},
    {"local", "every thread runs batch and replacement for itself", MT_LOCAL_UNIT, WORKLOAD_THREADS_MAX, NULL,
     mt_local_run, mt_local_run_verified},
    {"handover", "as local, and as many blocks again go to the next thread, which frees them", MT_HANDOVER_UNIT,
     WORKLOAD_THREADS_MAX, mt_handover_prepare, mt_handover_run, mt_handover_run_verified},
    {"json", "64 KiB, 8 live, oldest first; every page written", 1, 1, NULL, json_run, json_run_verified},
    {"mir", "256 KiB, 4 nested; a random part from the front written", MIR_DEPTH, 1, mir_prepare, mir_run,
     mir_run_verified},
    {"vm", "2 MiB, 2 live, older first; the first quarter and then one page in eight written", 1, 1, NULL, vm_run,
     vm_run_verified},
    {"mixed", "8 bytes to 4 MiB over all pools, a random one of 256 blocks replaced; every page written", 1, 1,
     mixed_prepare, mixed_run, mixed_run_verified},
};

const size_t workload_count = sizeof workload_table / sizeof workload_table[0];

const struct workload *workload_find(const char *name) {
    for (size_t i = 0; i < workload_count; i++) {
        if (strcmp(workload_table[i].name, name) == 0) {
            return &workload_table[i];
        }
    }
    return NULL;
}
