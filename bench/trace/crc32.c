/* SPDX-License-Identifier: MIT */
/* CRC-32, eight bytes a step: every byte of a trace is checked before its first event is replayed.
 *
 * remainder_of[k][b] is the remainder of byte b with k bytes of zeros behind it; those of eight bytes add up. */
#include "bench/trace/crc32.h"

#include <string.h>

/* IEEE 802.3's polynomial, bits reversed. */
#define POLYNOMIAL UINT32_C(0xedb88320)
#define SLICES 8

static uint32_t remainder_of[SLICES][256]; /* constant after crc32_start */

void crc32_start(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        }
        remainder_of[0][byte] = crc;
    }
    for (int slice = 1; slice < SLICES; slice++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t crc = remainder_of[slice - 1][byte];
            remainder_of[slice][byte] = (crc >> 8) ^ remainder_of[0][crc & 0xff];
        }
    }
}

uint32_t crc32_add(uint32_t crc, const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    crc = ~crc;
    for (; length >= SLICES; length -= SLICES, at += SLICES) {
        uint64_t word; /* little-endian, as format.h asserts */
        memcpy(&word, at, sizeof word);
        word ^= crc;
        crc = 0;
        for (int i = 0; i < SLICES; i++) {
            crc ^= remainder_of[SLICES - 1 - i][(word >> (8 * i)) & 0xff];
        }
    }
    for (; length > 0; length--, at++) {
        crc = (crc >> 8) ^ remainder_of[0][(crc ^ *at) & 0xff];
    }
    return ~crc;
}
