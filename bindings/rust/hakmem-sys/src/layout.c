/* SPDX-License-Identifier: MIT */
/* The sizes of the header's structs, for the test that compares them with those in lib.rs. */
#include "hakmem.h"

const size_t hakmem_sys_layout[] = {sizeof(struct hak_stats), sizeof(struct hak_pool_stats),
                                    offsetof(struct hak_stats, threads), offsetof(struct hak_stats, system_remaps)};
