/* SPDX-License-Identifier: MIT */
/* The list of the workloads, for readers and as JSON. Called by worker.c. */
#include "bench/worker/list.h"

#include "bench/worker/json.h"
#include "bench/worker/workloads/workload.h"

#include <stdio.h>

void list_print(void) {
    for (size_t i = 0; i < workload_count; i++) {
        printf("%-21s %s\n", workload_table[i]->name, workload_table[i]->description);
    }
}

void list_print_json(void) {
    for (size_t i = 0; i < workload_count; i++) {
        const struct workload *workload = workload_table[i];
        printf("%s{\"name\":", i == 0 ? "[" : ",\n ");
        json_string(workload->name);
        json_text("description", workload->description);
        json_text("source", workload->source);
        json_text("group", workload->group);
        json_key("threads");
        printf("[%u,%u]", workload->threads_min, workload->threads_max);
        json_count("threads_per_processor", workload->threads_per_processor == 0 ? 1 : workload->threads_per_processor);
        json_count("unit", workload->unit);
        json_flag("exact", workload->exact);
        json_count("default_operations", workload->default_operations);
        json_count("quick_operations", workload->quick_operations);
        json_optional("working_set_bytes", workload->working_set,
                      (uint64_t)workload->store_slots * WORKLOAD_SET_BLOCK_BYTES);
        printf("}");
    }
    printf("]\n");
}
