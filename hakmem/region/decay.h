/* When memory that was freed goes back to the system: HAKMEM_PURGE_DELAY_MS after it was freed.
 *
 * This is the clock only. Regions, large spans and slabs note what they free; slab/purge.h looks when a
 * time has come. Any thread, no locks. */
#ifndef HAKMEM_REGION_DECAY_H
#define HAKMEM_REGION_DECAY_H

#include "hakmem/base/atomic.h"
#include "hakmem/base/compiler.h"

/* Something was freed at `now_ms`: a look is due a delay later, unless one is due before. */
void decay_note_freed(uint64_t now_ms);

/* A look is due at `due_ms`, unless one is due before. */
void decay_schedule(uint64_t due_ms);

/* Atomic; the time of the next look in ms, 0: nothing decays. */
extern HAK_INTERNAL uint64_t hak_decay_due;

/* Time of the next look; 0: nothing decays. Relaxed: a look that comes a little late is still a look. */
HAK_ALWAYS_INLINE uint64_t decay_due_ms(void) { return hak_load_relaxed(&hak_decay_due); }

/* Whether anything decays, for who is about to stop looking. */
bool decay_is_due(void);

/* Takes the next look upon the caller: false where another thread took it, or nothing decays. */
bool decay_take(void);

#endif
