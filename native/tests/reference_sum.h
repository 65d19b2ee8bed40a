// A sum of products in float64 beside the error that a float32 sum of the same products may have.
#pragma once

#include <cmath>
#include <cstdint>

struct ReferenceSum {
    double value = 0;
    double magnitude = 0;  // sum of absolute terms
    int64_t terms = 0;

    void add(double term) {
        value += term;
        magnitude += std::fabs(term);
        ++terms;
    }

    /// Roundings of random sign in any order of summation: error of the order sqrt(terms) u sum|term| (Higham and Mary,
    /// "A new approach to probabilistic rounding error analysis", 2019), with u = 2^-24 the unit roundoff of float32;
    /// 2 because a product and its addition may round separately.
    double tolerance() const { return 2 * std::sqrt(static_cast<double>(terms)) * 0x1p-24 * magnitude; }
};
