/* SPDX-License-Identifier: MIT */
/* The names of all statistics: one table for each public struct. The writers of text, JSON and Prometheus' format go through
 * these tables, so a new statistic is one line here.
 *
 * Text and JSON use the name of the struct's field. The Prometheus names follow its conventions: a prefix, the unit, and _total
 * for counters. */
#ifndef HAKMEM_OBSERVE_FIELDS_H
#define HAKMEM_OBSERVE_FIELDS_H

#include "hakmem/base/compiler.h"

struct stats_field {
    const char *name;   /* of the struct's field */
    const char *metric; /* Prometheus' */
    const char *help;   /* a phrase without backslash or newline */
    size_t offset;      /* of a uint64_t */
    bool is_counter;    /* only grows; else a gauge */
};

struct stats_fields {
    const struct stats_field *fields;
    size_t count;
};

extern const struct stats_fields hak_stats_process_fields; /* of struct hak_stats */
extern const struct stats_fields hak_stats_pool_fields;    /* of struct hak_pool_stats */
extern const struct stats_fields hak_stats_class_fields;   /* of struct hak_class_stats */
extern const struct stats_fields hak_stats_thread_fields;  /* of struct hak_thread_stats */

HAK_ALWAYS_INLINE uint64_t stats_value(const void *of, const struct stats_field *field) {
    return *(const uint64_t *)((const char *)of + field->offset);
}

#endif
