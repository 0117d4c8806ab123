/* SPDX-License-Identifier: MIT */
/* The counters of counts.h. */
#include "hakmem/ladder/counts.h"

/* Any odd constant with many bits set will do; ladder_begin_sampling mixes in the thread's number. */
HAK_THREAD_LOCAL uint64_t hak_ladder_random = 0x9e3779b97f4a7c15u;
uint64_t hak_ladder_samples[HAK_CLASS_COUNT];
