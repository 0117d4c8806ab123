/* SPDX-License-Identifier: MIT */
/* See chacha.h. */
#include "hakmem/guard/chacha.h"

HAK_ALWAYS_INLINE chacha_lanes chacha_rotate(chacha_lanes x, unsigned bits) { return x << bits | x >> (32 - bits); }

HAK_ALWAYS_INLINE void chacha_quarter(chacha_lanes *a, chacha_lanes *b, chacha_lanes *c, chacha_lanes *d) {
    *a += *b, *d = chacha_rotate(*d ^ *a, 16);
    *c += *d, *b = chacha_rotate(*b ^ *c, 12);
    *a += *b, *d = chacha_rotate(*d ^ *a, 8);
    *c += *d, *b = chacha_rotate(*b ^ *c, 7);
}

HAK_ALWAYS_INLINE chacha_lanes chacha_alike(uint32_t word) { return (chacha_lanes){word, word, word, word}; }

/* "expand 32-byte k" */
static const uint32_t chacha_constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

void hak_chacha_blocks(const uint32_t key[CHACHA_KEY_WORDS], const uint32_t nonce[CHACHA_NONCE_WORDS], unsigned rounds,
                       chacha_lanes out[CHACHA_WORDS]) {
    chacha_lanes first[CHACHA_WORDS], x[CHACHA_WORDS];
    for (unsigned i = 0; i < 4; i++) {
        first[i] = chacha_alike(chacha_constants[i]);
        first[4 + i] = chacha_alike(key[i]);
        first[8 + i] = chacha_alike(key[4 + i]);
    }
    first[12] = (chacha_lanes){0, 1, 2, 3};
    for (unsigned i = 0; i < CHACHA_NONCE_WORDS; i++) {
        first[13 + i] = chacha_alike(nonce[i]);
    }
    for (unsigned i = 0; i < CHACHA_WORDS; i++) {
        x[i] = first[i];
    }
    for (unsigned round = 0; round < rounds; round += 2) {
        chacha_quarter(&x[0], &x[4], &x[8], &x[12]);
        chacha_quarter(&x[1], &x[5], &x[9], &x[13]);
        chacha_quarter(&x[2], &x[6], &x[10], &x[14]);
        chacha_quarter(&x[3], &x[7], &x[11], &x[15]);
        chacha_quarter(&x[0], &x[5], &x[10], &x[15]);
        chacha_quarter(&x[1], &x[6], &x[11], &x[12]);
        chacha_quarter(&x[2], &x[7], &x[8], &x[13]);
        chacha_quarter(&x[3], &x[4], &x[9], &x[14]);
    }
    for (unsigned i = 0; i < CHACHA_WORDS; i++) {
        out[i] = x[i] + first[i];
    }
}
