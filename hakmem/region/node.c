/* SPDX-License-Identifier: MIT */
/* See node.h. */
#include "hakmem/region/node.h"

#include "hakmem/base/options.h"

unsigned hak_node_count = 1;

void hak_node_init(void) {
    if (hak_options.numa) {
        const unsigned count = hak_os_node_count();
        hak_node_count = count < NODES_MAX ? count : NODES_MAX;
    }
}
