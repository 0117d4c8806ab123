/* SPDX-License-Identifier: MIT */
/* See slope.h. One thread. */
#include "tests/soak/slope.h"

#include <stdlib.h>
#include <string.h>

static double sorted[SLOPE_MOST * (SLOPE_MOST - 1) / 2];

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, unsigned count) {
    if (count == 0) return 0;
    qsort(values, count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

void slope_add(struct slope *slope, double value) {
    if (slope->every == 0) slope->every = 1;
    if (slope->skip++ % slope->every != 0) return;
    if (slope->count == SLOPE_MOST) {
        for (unsigned i = 0; i < SLOPE_MOST / 2; i++) slope->values[i] = slope->values[2 * i];
        slope->count = SLOPE_MOST / 2;
        slope->every *= 2;
    }
    slope->values[slope->count++] = value;
}

double slope_growth(const struct slope *slope) {
    unsigned count = 0;
    if (slope->count < 3) return 0;
    for (unsigned i = 0; i < slope->count; i++)
        for (unsigned j = i + 1; j < slope->count; j++)
            sorted[count++] = (slope->values[j] - slope->values[i]) / (double)(j - i);
    return median(sorted, count) * (double)(slope->count - 1);
}

/* Of a normal distribution, which the sum of that many signs is near to from 8 values on: the part above is 0.0005. */
#define DEVIATIONS 3.29

bool slope_rises(const struct slope *slope) {
    const double n = slope->count;
    double sum = 0;
    if (slope->count < 8) return false;
    for (unsigned i = 0; i < slope->count; i++)
        for (unsigned j = i + 1; j < slope->count; j++)
            sum += (slope->values[j] > slope->values[i]) - (slope->values[j] < slope->values[i]);
    return sum > 0 && (sum - 1) * (sum - 1) > DEVIATIONS * DEVIATIONS * n * (n - 1) * (2 * n + 5) / 18;
}

double slope_median(const struct slope *slope) {
    memcpy(sorted, slope->values, slope->count * sizeof *sorted);
    return median(sorted, slope->count);
}
