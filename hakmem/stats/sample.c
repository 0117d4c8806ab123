/* SPDX-License-Identifier: MIT */
/* The counters of sample.h. */
#include "hakmem/stats/sample.h"

/* Any odd constant with many bits set will do; a thread mixes its number in when it begins. */
HAK_THREAD_LOCAL uint64_t hak_sample_state = 0x9e3779b97f4a7c15u;
uint64_t hak_sample_counts[HAK_CLASS_COUNT];
