/* SPDX-License-Identifier: MIT */
/* Whether a figure that is measured again and again drifts.
 *
 * Source of the slope: Henri Theil, "A rank-invariant method of linear and polynomial regression analysis", 1950; Pranab Kumar Sen, 1968:
 * the median of the slopes of all pairs, which a third of outliers does not move. Of the doubt: Henry Mann, "Nonparametric tests against
 * trend", 1945; Maurice Kendall, "Rank Correlation Methods", 1948: how many of the pairs rise. */
#ifndef TESTS_SOAK_SLOPE_H
#define TESTS_SOAK_SLOPE_H

#include <stdbool.h>

#define SLOPE_MOST 512u

struct slope {
    unsigned count;       /* of values; when there is no more room, every other one is dropped */
    unsigned every, skip; /* one in so many is kept */
    double values[SLOPE_MOST];
};

void slope_add(struct slope *slope, double value);

/* What the figure grew by from the first value to the last, by the median slope; 0 for fewer than 3. */
double slope_growth(const struct slope *slope);

/* Whether so many pairs rise that values without a drift would do so by chance in one of 2,000 runs at most. Never for fewer than 8
 * values. */
bool slope_rises(const struct slope *slope);

/* The median value; 0 for none. */
double slope_median(const struct slope *slope);

#endif
