/* SPDX-License-Identifier: MIT */
/* See chance.h. */
#include "hakmem/sample/chance.h"

#include <string.h>

#include "hakmem/base/random.h"

/* exp(x) - 1 for x <= 0, without cancellation: a series for a small part of x, then (e + 1)^2 - 1 = e * (e + 2). */
static double chance_expm1(double x) {
    if (x < -64) {
        return -1;
    }
    const int halvings = 10;
    const double part = x / (1 << halvings); /* at least -1/16: seven terms leave less than 1e-14 */
    double e = 0;
    for (int term = 7; term >= 1; term--) {
        e = (e + 1) * part / term;
    }
    for (int i = 0; i < halvings; i++) {
        e *= e + 2;
    }
    return e;
}

/* -ln(k / 2^53), k in 1 .. 2^53: by the exponent, and 2 atanh((m - 1) / (m + 1)) for the mantissa m. Without a branch: half
 * of the mantissas would take it, at random. */
static double chance_minus_log(uint64_t k) {
    const uint64_t root_half = 0x3fe6a09e667f3bcdu; /* of 1/2, as the bits of a double */
    const double exact = (double)k;
    uint64_t bits;
    memcpy(&bits, &exact, sizeof bits);
    /* The power of two that leaves m in [sqrt(1/2), sqrt(2)); its bits are those above the 52 of a mantissa. */
    const uint64_t above = (bits - root_half) >> 52;
    const uint64_t mantissa_bits = bits - (above << 52);
    double m;
    memcpy(&m, &mantissa_bits, sizeof m);
    const double s = (m - 1) / (m + 1); /* |s| < 0.172: six terms leave less than 1e-10 */
    const double z = s * s;
    const double sum = 1 + z * (1.0 / 3 + z * (1.0 / 5 + z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11)))));
    return (53 - (double)(int64_t)above) * 0.6931471805599453 - 2 * s * sum;
}

double hak_chance_of(uint64_t size, uint64_t rate) {
    return rate == 1 ? 1 : -chance_expm1(-(double)size / (double)rate);
}

uint64_t hak_chance_until_next(uint64_t *state, uint64_t size, uint64_t rate) {
    if (rate == 1) {
        return 0;
    }
    const uint64_t k = (random_xorshift64(state) >> 11) + 1;
    /* At most 37 * 2^40 / 1: no overflow. */
    return (uint64_t)(int64_t)(chance_minus_log(k) * (double)(int64_t)rate / (double)(int64_t)size);
}

bool hak_chance_try(uint64_t *state, uint64_t size, uint64_t rate) {
    return hak_chance_until_next(state, size, rate) == 0;
}
