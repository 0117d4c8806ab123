/* SPDX-License-Identifier: MIT */
/* The block function of ChaCha, four blocks at once.
 *
 * Source: RFC 8439, section 2.3; the number of rounds is the caller's, 20 there. D. J. Bernstein, "ChaCha, a variant of
 * Salsa20", 2008, who gives 8 and 12 as well. No state, no lock. */
#ifndef HAKMEM_GUARD_CHACHA_H
#define HAKMEM_GUARD_CHACHA_H

#include "hakmem/base/compiler.h"

#define CHACHA_WORDS 16
#define CHACHA_KEY_WORDS 8
#define CHACHA_NONCE_WORDS 3

/* The same word of four blocks: what every processor with 128-bit registers computes at once. */
typedef uint32_t chacha_lanes __attribute__((vector_size(16)));

#define CHACHA_LANES 4

/* out[w][b]: word w of the block whose counter is b, 0 to 3. pre: rounds is even */
void hak_chacha_blocks(const uint32_t key[CHACHA_KEY_WORDS], const uint32_t nonce[CHACHA_NONCE_WORDS], unsigned rounds,
                       chacha_lanes out[CHACHA_WORDS]);

#endif
