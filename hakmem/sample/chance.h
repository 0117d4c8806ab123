/* SPDX-License-Identifier: MIT */
/* How likely a block is sampled, and how many are passed over before the next.
 *
 * The model: marks lie on the bytes that are allocated, one in `rate` bytes on average, independently (a Poisson
 * process); a block that holds a mark is sampled. So a block of `size` bytes is sampled with
 *
 *     p = 1 - exp(-size / rate)
 *
 * whatever was before, and the number of blocks of one size that are passed over before the next sample is geometric:
 * P(n) = (1 - p)^n p. n = floor(-ln(u) * rate / size), u uniform in (0, 1], has that distribution.
 * Rate 1 means every block: p is 1 then, and n is 0.
 *
 * The exponential and the logarithm are written out here, to some 1e-12 and 1e-10: the library links nothing but libc. */
#ifndef HAKMEM_SAMPLE_CHANCE_H
#define HAKMEM_SAMPLE_CHANCE_H

#include "hakmem/base/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

/* p above, in (0, 1]. pre: size and rate >= 1 */
double hak_chance_of(uint64_t size, uint64_t rate);

/* n above. pre: as for hak_chance_of; *state is that of base/random.h */
uint64_t hak_chance_until_next(uint64_t *state, uint64_t size, uint64_t rate);

/* One trial with probability p. */
bool hak_chance_try(uint64_t *state, uint64_t size, uint64_t rate);

#ifdef __cplusplus
}
#endif

#endif
