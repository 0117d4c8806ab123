/* SPDX-License-Identifier: MIT */
/* Text (base/text.h) that is written to a file as gzip.
 *
 * Gzip is stored blocks and a checksum: a profile is small, and the library links no compressor. Nothing here allocates
 * from hakmem; the caller brings the memory of the struct. One thread. */
#ifndef HAKMEM_OBSERVE_GZIP_H
#define HAKMEM_OBSERVE_GZIP_H

#include "hakmem/base/text.h"

#ifdef __cplusplus
extern "C" {
#endif

struct gzip {
    struct hak_text text; /* first: to append to */
    uint32_t checksum;    /* of what was written so far; CRC-32 of gzip, inverted */
    uint32_t length;      /* likewise, modulo 2^32 */
    char bytes[32768];    /* a stored block has at most 65535 */
};

void hak_gzip_begin(struct gzip *gzip, int file);

/* 0 where everything was written, else an errno value. Leaves the file open. */
int hak_gzip_end(struct gzip *gzip);

#ifdef __cplusplus
}
#endif

#endif
