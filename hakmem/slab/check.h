/* SPDX-License-Identifier: MIT */
/* What slow paths compare when they use a descriptor, in every build.
 *
 * A slab's descriptor lies at a distance from its blocks that a program's index may reach. A field that such a write
 * changed contradicts another one, and is found before a block is given out by it:
 *
 *     field        where it is looked at
 *     free_count   refill: the bits run out first. Claim: == popcount(free_bits). EMPTY: every bit is set
 *     scan_word    refill: lies in the bitmap, and the bits behind it do not run out
 *     fresh_from   refill, where it makes blocks read zero: the rest of the slab is free, and nothing before it
 *     owner        relist: nobody, where the slab is FULL or PARTIAL
 *     control      create: EMPTY. Claim: PARTIAL, of the class, with free bits as free_count says. Detach: OWNED, of the
 *                  class. Drain: no more are counted than bits are set. Free: of the class
 *     bucket       unlink: one of the class's lists, and the first there if nothing is before it
 *     link         list.c: descriptors that point back, or the list's ends
 *     listed_free  unlink: 0 in the lists of purged slabs, and only there
 *     free_bits    refill: no bit behind the last block. Claim, as free_count. With guard: no bit of a block that the
 *                  shadow knows as live
 *     remote_bits  drain: not in free_bits as well. With guard, once they are drained, as free_bits
 *     span_first   free: leads to the start of a span
 *
 * Not found: without guard, a bit that is set for a live block in the slab that its thread takes blocks from, and in
 * remote_bits, before the block is given out; a second free of the block is found as ever. Nor `zeroed`, and what only
 * says when memory goes back to the system. */
#ifndef HAKMEM_SLAB_CHECK_H
#define HAKMEM_SLAB_CHECK_H

#include "hakmem/slab/slab.h"

/* Reports and aborts if the descriptor contradicts itself; `how` says how. */
HAK_ALWAYS_INLINE void slab_expect(bool holds, const struct slab *slab, const char *how) {
    if (HAK_UNLIKELY(!holds)) {
        hak_report_corruption("slab", (const void *)slab_base(slab), how);
    }
}

#define SLAB_NOT_OWNED "it has an owner, and is not OWNED"
#define SLAB_NO_SPAN "its chunks do not say that it starts there"
#define SLAB_NOT_FRESH "blocks count as never given out that were"
#define SLAB_RUNS_OUT "more blocks are counted as free than bits say"

/* Before a block is given out, or several, of which `block` is the last. `live`: what the shadow says of them, 0 without
 * guard. */
HAK_ALWAYS_INLINE void slab_expect_dead(const struct slab *slab, const struct hak_class *constants, uint32_t block,
                                        unsigned live) {
    slab_expect(block < constants->blocks && live == 0, slab, "a block that is not free has its bit set");
}

/* Reports blocks, bits of one word, that were freed twice. */
HAK_COLD void hak_slab_report_double(const struct slab *slab, unsigned class_index, uint32_t word, uint64_t bits,
                                     bool is_late);

#endif
