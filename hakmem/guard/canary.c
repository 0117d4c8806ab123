/* The secret of the canaries; see canary.h. */
#include "hakmem/guard/canary.h"

#include "hakmem/guard/random.h"

uint64_t canary_secret[2];

void canary_init(void) {
    canary_secret[0] = guard_random_seed();
    canary_secret[1] = guard_random_seed() | 1; /* odd: a product by it loses nothing */
}
