/* SPDX-License-Identifier: MIT */
/* A library that keeps a block for each thread that calls it. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

static pthread_key_t key;

__attribute__((constructor)) static void make_key(void) { pthread_key_create(&key, free); }

void use_key(bool is_null);
void use_key(bool is_null) { pthread_setspecific(key, is_null ? NULL : calloc(1, 64)); }
