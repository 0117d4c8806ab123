/* Blocks on their way from a magazine to their slabs, in full guard builds: through the quarantine, and looked at when they
 * leave it. */
#ifndef HAKMEM_MAGAZINE_QUARANTINED_H
#define HAKMEM_MAGAZINE_QUARANTINED_H

#include "hakmem/guard/quarantine.h"

/* quarantine_pass, and a report of each block that leaves and was written meanwhile; it is clear again then. */
uint32_t quarantined_pass(unsigned class_index, void *const *blocks, uint32_t count, void **leaving);

#endif
