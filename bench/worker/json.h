/* SPDX-License-Identifier: MIT */
/* Pieces of a JSON object on standard output, each written as it comes: nothing is built in memory, so that neither the
 * allocator under test nor a library that would be loaded into the measured process is needed. */
#ifndef BENCH_WORKER_JSON_H
#define BENCH_WORKER_JSON_H

#include "hakmem/base/compiler.h"

/* A string of `length` bytes from a file. Bytes that are not ASCII need not be UTF-8: each becomes what Python has for it in
 * names of files, a surrogate, of which os.fsencode makes the byte again. */
void json_bytes(const char *text, size_t length);

/* A string of this process; null for NULL. */
void json_string(const char *text);

/* A comma, "NAME": and the value. */
void json_key(const char *name);
void json_text(const char *name, const char *text); /* as json_string */
void json_count(const char *name, uint64_t count);
void json_optional(const char *name, bool present, uint64_t count); /* null where there is none */
void json_flag(const char *name, bool flag);

#endif
