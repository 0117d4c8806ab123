/* See chance.h. */
#include "hakmem/profile/chance.h"

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

/* -ln(k / 2^53), k in 1 .. 2^53: by the exponent, and 2 atanh((m - 1) / (m + 1)) for the mantissa. */
static double chance_minus_log(uint64_t k) {
    const int exponent = 63 - __builtin_clzll(k);
    double mantissa = (double)k / (double)((uint64_t)1 << exponent); /* [1, 2) */
    int power = exponent - 53;
    if (mantissa > 1.4142135623730951) {
        mantissa /= 2;
        power++;
    }
    const double s = (mantissa - 1) / (mantissa + 1); /* |s| < 0.172 */
    double sum = 0;
    for (int odd = 15; odd >= 1; odd -= 2) {
        sum = sum * s * s + 1.0 / odd;
    }
    return -(2 * s * sum + power * 0.6931471805599453);
}

double chance_of(uint64_t size, uint64_t rate) {
    return rate == 1 ? 1 : -chance_expm1(-(double)size / (double)rate);
}

uint64_t chance_until_next(uint64_t *state, uint64_t size, uint64_t rate) {
    if (rate == 1) {
        return 0;
    }
    const uint64_t k = (random_xorshift64(state) >> 11) + 1;
    /* At most 37 * 2^40 / 1: no overflow. */
    return (uint64_t)(chance_minus_log(k) * (double)rate / (double)size);
}

bool chance_try(uint64_t *state, uint64_t size, uint64_t rate) { return chance_until_next(state, size, rate) == 0; }
