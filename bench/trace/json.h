/* SPDX-License-Identifier: MIT */
/* JSON on standard output. */
#ifndef BENCH_TRACE_JSON_H
#define BENCH_TRACE_JSON_H

#include "hakmem/base/compiler.h"

/* With what JSON wants escaped; a byte that is no ASCII becomes '?'. */
void json_text(const char *text, size_t length);

/* ,"NAME": and the value */
void json_count(const char *name, uint64_t count);
void json_string(const char *name, const char *text); /* NULL: null */
void json_flag(const char *name, bool flag);

#endif
