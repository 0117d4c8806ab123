/* SPDX-License-Identifier: MIT */
/* NUMA nodes: where memory lies, and from where it is asked for.
 *
 * The kernel gives a page to the node of the processor that touches it first. A region is of the node whose thread made it, and
 * threads prefer the regions and the PARTIAL slabs of the node that they run on when they ask; so most pages are touched first, and
 * used later, by threads of one node. Threads that move to another node take what they have along.
 *
 * With HAKMEM_NUMA=1 the number of nodes is read when the process begins. Without it, and where there is one node, the count is 1, and
 * nothing is asked anywhere: one test of a constant on slow paths. */
#ifndef HAKMEM_REGION_NODE_H
#define HAKMEM_REGION_NODE_H

#include "hakmem/base/compiler.h"
#include "hakmem/os/os.h"

/* Nodes beyond are counted as one of these. */
#define NODES_MAX 16u

/* Constant after hak_node_init; 1 <= hak_node_count <= NODES_MAX */
extern HAK_INTERNAL unsigned hak_node_count;

/* Called once, by hak_process_begin, before any region is made. */
void hak_node_init(void);

/* The node of the calling thread, below hak_node_count. */
HAK_ALWAYS_INLINE unsigned node_now(void) {
    return HAK_LIKELY(hak_node_count == 1) ? 0 : hak_os_node() % hak_node_count;
}

/* All nodes, the nearest first: this one, and then those behind it, round about. `step` < hak_node_count */
HAK_ALWAYS_INLINE unsigned node_after(unsigned node, unsigned step) {
    return node + step < hak_node_count ? node + step : node + step - hak_node_count;
}

#endif
