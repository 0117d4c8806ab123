/* SPDX-License-Identifier: MIT */
/* Flat tables: an entry of one byte for each 2^shift bytes of the address space, reserved and not backed.
 *
 * The page map and the shadow are such tables. Any pointer may be looked up in them; entries are written only for addresses in
 * regions. A process with a limit on its address space, or one that calls mlockall, cannot keep the reservation: the tables
 * are given up ("give way", region/give_way.h). After that nobody begins a look-up. A thread that had begun one holds a pointer
 * that was allocated earlier, and the entries of such pointers stay mapped. No lock: the callers hold theirs. */
#ifndef HAKMEM_SPACE_FLAT_H
#define HAKMEM_SPACE_FLAT_H

#include "hakmem/base/compiler.h"

/* Whether a table of `size` bytes may be reserved under that limit on address space: four times as much, or the program would
 * miss it. */
bool hak_flat_fits(uint64_t limit, size_t size);

/* The same under the limit that the process has. */
bool hak_flat_has_room(size_t size);

/* Makes entries writable, which are 0 and read by others meanwhile. Refused: they are as they were. ENOMEM, EAGAIN */
int hak_flat_commit(void *start, size_t size);

/* Unmaps the entries of all units that are not kept. `entries`: those of address 0; the table has them for all addresses of
 * so many bits. pre: hak_units_keep was called */
void hak_flat_give_way(const uint8_t *entries, unsigned shift, unsigned address_bits);

#endif
