// What is known of a group's rows before their elements are done: the adaptive scale, and which way each goes. To be
// included by files of isa/ only, after VELU_ISA_NAMESPACE is known.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/isa/velu_ways.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using simd::for_each_vector;
using Wide = V::Wide;

/// Most rows of a group; a multiple of all numbers of lanes.
constexpr int64_t kGroupRows = 64;

int64_t group_rows(int64_t channels) {
    return std::clamp<int64_t>(4096 / channels, 1, kGroupRows);
}

/// What is known of a group's rows before their elements are done.
struct Rows {
    alignas(64) float square[kGroupRows];  // of the statistic's root: mean of x^2, or variance
    alignas(64) float a[kGroupRows];
    alignas(64) float pull[kGroupRows];  // dx += R pull (x - center)
    double center[kGroupRows] = {};      // 0 unless the statistic is STD
    WayName way[kGroupRows];
    bool careful[kGroupRows];
    bool all_near;                             // no row goes another way, and none is careful
    math::RowStatistic statistic[kGroupRows];  // of careful rows
    double slope[kGroupRows];                  // da/ds of careful rows
};

WayName way_for(const VeluFit& fit, V sizes) {
    if (all(sizes <= V(fit.near_most))) return WayName::kNear;
    if (PiecesWay<V>::kAvailable && all(sizes <= V(fit.pieces_most))) return WayName::kPieces;
    return WayName::kFull;
}

/// Elements whose squares are summed in float32: 64 vectors, at most 17 terms per lane.
constexpr int64_t kShortRow = 64 * V::kLanes;

/// Sums of x^2 by lanes of at most kShortRow elements. Overflows above 2^62, and is then infinite or NaN. sizes: at
/// least |x|, lane by lane.
template <class T>
VELU_SWEEP inline V squares_by_lanes(const T* x, int64_t count, V& sizes) {
    constexpr int64_t kLanes = V::kLanes;
    const V zero(0.0f);
    V squares = zero, squares1 = zero, squares2 = zero, squares3 = zero, other_sizes = zero;
    int64_t c = 0;
#pragma GCC unroll 1
    for (; c + 4 * kLanes <= count; c += 4 * kLanes) {
        const V x0 = V::load(x + c), x1 = V::load(x + c + kLanes), x2 = V::load(x + c + 2 * kLanes),
                x3 = V::load(x + c + 3 * kLanes);
        squares = mul_add(x0, x0, squares);
        squares1 = mul_add(x1, x1, squares1);
        squares2 = mul_add(x2, x2, squares2);
        squares3 = mul_add(x3, x3, squares3);
        sizes = larger_size(larger_size(sizes, x0), x1);
        other_sizes = larger_size(larger_size(other_sizes, x2), x3);
    }
    for_each_vector<V>(count - c, [&](int64_t i, auto lanes) VELU_SWEEP {
        const V x0 = lanes.load(x + c + i, zero);
        squares = mul_add(x0, x0, squares);
        sizes = larger_size(sizes, x0);
    });
    sizes = larger_size(sizes, other_sizes);
    return (squares + squares1) + (squares2 + squares3);
}

/// The same, added up. Parts of a long row are joined in float64.
template <class T>
float sum_of_squares(const T* x, int64_t channels, V& sizes) {
    if (channels <= kShortRow) return sum(squares_by_lanes(x, channels, sizes));
    double total = 0;
    for (int64_t c = 0; c < channels; c += kShortRow) {
        total += static_cast<double>(sum(squares_by_lanes(x + c, std::min(kShortRow, channels - c), sizes)));
    }
    return static_cast<float>(total);
}

/// The statistic in float64: a row of 1e19 overflows no square, and no length of row loses accuracy.
template <class T>
math::RowStatistic statistic(const velu_velu_params& params, const T* x, int64_t channels, V& sizes) {
    const auto count = static_cast<double>(channels);
    const bool is_std = params.statistic == VELU_STATISTIC_STD;
    const V shift(is_std ? first(V::load(x, 1, V(0.0f))) : 0.0f);
    const Wide wide_shift = widen(shift);
    Wide deviations, squares;
    for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
        const V value = lanes.load(x + c, shift);
        const Wide deviation = widen(value) - wide_shift;
        deviations = deviations + deviation;
        squares = mul_add(deviation, deviation, squares);
        sizes = larger_size(sizes, value);
    });
    return math::row_statistic(params, static_cast<double>(first(shift)), sum(deviations), sum(squares), count);
}

/// a and, for the gradient, pull from square.
///
/// In float32, s and tanh(mu s) have relative errors below 4e-7 and absolute ones below 2e-7, so a has less than 5e-7
/// as |gamma| <= 1/2 keeps it from cancelling, and pull less than 2e-6.
template <bool kGradient>
void scale_rows(const velu_velu_params& params, int64_t count, int64_t channels, Rows& rows) {
    const bool is_std = params.statistic == VELU_STATISTIC_STD;
    const V one(1.0f);
    const auto share = static_cast<float>(1.0 / static_cast<double>(channels));
    for (int64_t i = 0; i < count; i += V::kLanes) {
        const V root = sqrt(V::load(rows.square + i));
        const V inverse = one / root;
        const V s = is_std ? root : inverse;
        const V gain = V(params.mu) * s;
        // tanh(v) = (1 - e) / (1 + e) and 1 - tanh(v)^2 = 4 e / (1 + e)^2 with e = exp(-2 v), for v >= 0.
        const V e = math::exp_of_nonpositive(V(-2.0f) * abs(gain), V(0.0f));
        const V other = one / (one + e);
        const V tanh = with_sign_flipped_by((one - e) * other, gain);
        mul_add(V(params.gamma), tanh, one).store(rows.a + i);
        if constexpr (kGradient) {
            // ds/dx = (x - center) / (s channels), or -s^3 x / channels.
            const V slope = V(4.0f * params.gamma * params.mu) * e * other * other;
            const V s_slope = is_std ? inverse * V(share) : s * s * s * V(-share);
            (slope * s_slope).store(rows.pull + i);
        }
    }
}

/// Whether all rows are careful ones: float32 does not hold all powers of s, or a could cancel.
bool all_are_careful(const velu_velu_params& params) {
    const float gamma = params.gamma < 0 ? -params.gamma : params.gamma;
    const float mu = params.mu < 0 ? -params.mu : params.mu;
    return gamma > 0.5f || mu > 0x1p20f || params.eps < 0x1p-80f || params.eps > 0x1p80f;
}

template <class T>
void take_care(const velu_velu_params& params, const T* x, int64_t channels, int64_t row, Rows& rows) {
    V sizes(0.0f);
    const math::RowStatistic stat = statistic(params, x, channels, sizes);
    const math::AdaptiveScale scale = math::adaptive_scale(params, stat.s);
    rows.way[row] = WayName::kFull;
    rows.careful[row] = true;
    rows.a[row] = static_cast<float>(scale.a);
    rows.statistic[row] = stat;
    rows.slope[row] = scale.slope * stat.s_slope;
}

/// Whether no lane is NaN, infinite, or could overflow when squared and summed in a row.
bool is_safe(V square, V sizes) {
    return all((square <= V(0x1p60f)) & (sizes <= V(0x1p40f)));
}

void set_way(const VeluFit& fit, int64_t row, V sizes, Rows& rows) {
    rows.careful[row] = !is_safe(V(rows.square[row]), sizes);
    if (rows.careful[row]) rows.square[row] = 1.0f;
    rows.way[row] = way_for(fit, sizes);
}

/// In lane i the sum of row i, of kLanes floats.
template <class Vector>
VELU_SWEEP inline Vector sums_of_rows(const float* rows) {
    if constexpr (requires { Vector::sums_of_rows(rows); }) {
        return Vector::sums_of_rows(rows);
    } else {
        alignas(64) float sums[Vector::kLanes];
        for (int64_t row = 0; row < Vector::kLanes; ++row) sums[row] = sum(Vector::load(rows + row * Vector::kLanes));
        return Vector::load(sums);
    }
}

/// square, way and careful for the statistic INVERSE_RMS: as many rows at once as a vector has lanes.
template <class T>
void examine_mean_squares(const VeluConstants& constants, const T* x, int64_t count, int64_t channels, Rows& rows) {
    constexpr int64_t kLanes = V::kLanes;
    const V share(static_cast<float>(1.0 / static_cast<double>(channels))), eps(constants.params.eps), zero(0.0f);
    const V near_most(std::min(constants.fit->near_most, 0x1p40f));
    alignas(64) float squares[kLanes * kLanes], sizes[kLanes * kLanes];  // by rows, by lanes
    for (int64_t first_row = 0; first_row < count; first_row += kLanes) {
        const int64_t rows_here = std::min(kLanes, count - first_row);
        const T* from = x + first_row * channels;
        V all_sizes = zero;
        const auto note = [&](int64_t row, V row_sizes) VELU_SWEEP {
            row_sizes.store(sizes + row * kLanes);
            all_sizes = larger_size(all_sizes, row_sizes);
        };
        V sums = zero;
        if (channels <= kShortRow && 2 * rows_here >= kLanes) {
            for (int64_t row = 0; row < rows_here; ++row) {
                V row_sizes = zero;
                squares_by_lanes(from + row * channels, channels, row_sizes).store(squares + row * kLanes);
                note(row, row_sizes);
            }
            for (int64_t row = rows_here; row < kLanes; ++row) zero.store(squares + row * kLanes);
            sums = sums_of_rows<V>(squares);
        } else {
            alignas(64) float of_rows[kLanes] = {};
            for (int64_t row = 0; row < rows_here; ++row) {
                V row_sizes = zero;
                of_rows[row] = sum_of_squares(from + row * channels, channels, row_sizes);
                note(row, row_sizes);
            }
            sums = V::load(of_rows);
        }
        const V square = mul_add(sums, share, eps);
        square.store(rows.square + first_row);
        // What holds for all is asked once.
        if (all((square <= V(0x1p60f)) & (all_sizes <= near_most))) {
            std::fill_n(rows.way + first_row, kLanes, WayName::kNear);
            std::fill_n(rows.careful + first_row, kLanes, false);
            continue;
        }
        rows.all_near = false;
        for (int64_t row = 0; row < rows_here; ++row) {
            set_way(*constants.fit, first_row + row, V::load(sizes + row * kLanes), rows);
        }
    }
}

/// square, center, way and careful for the statistic STD.
template <class T>
void examine_deviations(const VeluConstants& constants, const T* x, int64_t count, int64_t channels, Rows& rows) {
    rows.all_near = false;
    std::fill_n(rows.square, kGroupRows, 1.0f);
    for (int64_t row = 0; row < count; ++row) {
        V sizes(0.0f);
        const math::RowStatistic stat = statistic(constants.params, x + row * channels, channels, sizes);
        rows.center[row] = stat.center;
        rows.square[row] = static_cast<float>(stat.s * stat.s);
        set_way(*constants.fit, row, sizes, rows);
    }
}

/// The first sweep of a group. Which way a row goes depends on nothing but the row.
template <bool kGradient, class T>
void examine(const VeluConstants& constants, const T* x, int64_t count, int64_t channels, Rows& rows) {
    const velu_velu_params& params = constants.params;
    rows.all_near = true;
    if (all_are_careful(params)) {
        rows.all_near = false;
        for (int64_t row = 0; row < count; ++row) take_care(params, x + row * channels, channels, row, rows);
        return;
    }
    if (params.statistic == VELU_STATISTIC_STD) {
        examine_deviations(constants, x, count, channels, rows);
    } else {
        examine_mean_squares(constants, x, count, channels, rows);
    }
    scale_rows<kGradient>(params, count, channels, rows);
    if (rows.all_near && params.clamp == 0) return;
    for (int64_t row = 0; row < count; ++row) {
        if (params.clamp != 0 && !rows.careful[row]) {
            // Next to a bound, float64 decides on which side of it the scale is.
            const float of_low = rows.a[row] - params.scale_min, of_high = params.scale_max - rows.a[row];
            if (of_low < 1e-5f || of_high < 1e-5f) rows.careful[row] = true;
        }
        if (rows.careful[row]) {
            rows.all_near = false;
            take_care(params, x + row * channels, channels, row, rows);
        }
    }
}

/// body(first row, last row) for runs of rows of one way and one care.
template <class Body>
VELU_SWEEP inline void for_each_run(const Rows& rows, int64_t count, const Body& body) {
    if (rows.all_near) return body(0, count);
    for (int64_t first_row = 0; first_row < count;) {
        int64_t last_row = first_row + 1;
        while (last_row < count && rows.way[last_row] == rows.way[first_row] &&
               rows.careful[last_row] == rows.careful[first_row]) {
            ++last_row;
        }
        body(first_row, last_row);
        first_row = last_row;
    }
}

}  // namespace
}  // namespace velu::cpu::VELU_ISA_NAMESPACE
