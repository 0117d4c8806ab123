/* SPDX-License-Identifier: MIT */
/* Prints the names of all statistics as a Python module, for the command: a new statistic is one line in fields.c. */
#include <stdio.h>

#include "hakmem/observe/fields.h"

static void show(const char *name, const struct stats_fields *fields) {
    printf("%s = (\n", name);
    for (size_t i = 0; i < fields->count; i++) {
        const struct stats_field *field = &fields->fields[i];
        printf("    (\"%s\", \"%s\", \"%s\", %s),\n", field->name, field->metric, field->help,
               field->is_counter ? "True" : "False");
    }
    printf(")\n");
}

int main(void) {
    printf(
        "# Written by tools/cli/show_metrics.c. Of each statistic: its name, Prometheus' name, help, whether it only "
        "grows.\n");
    show("PROCESS", &hak_stats_process_fields);
    show("POOL", &hak_stats_pool_fields);
    show("CLASS", &hak_stats_class_fields);
    show("THREAD", &hak_stats_thread_fields);
    return 0;
}
