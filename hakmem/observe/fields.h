/* SPDX-License-Identifier: MIT */
/* The names of all statistics: one table a struct, from which every form is written.
 *
 * JSON and text have the names of the struct's fields; Prometheus' are what its conventions ask for: a prefix, the
 * unit, and _total for what only grows. */
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
