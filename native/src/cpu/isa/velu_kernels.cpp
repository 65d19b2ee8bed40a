// VeLU by groups of rows, of about 16 KiB. A group is read from memory once and found in the cache by the sweeps that
// follow: one for the rows' statistics, which also tells how large their elements are, and one to apply in forward (4
// bytes read, 4 written per element of float); one more in backward (8 read, 4 written), as the statistic's gradient
// needs a sum over the row first. While a group is computed, the next is fetched.
//
// A row whose elements are small goes a short way, most others one by tabulated pieces (cpu/velu_fit.h); only the rest
// takes the formulas of math/velu_math.h. AVX-512 instructions per vector in the applying sweep, forward with moments
// and backward with the Wasserstein-2 term: 15 and 26 on the near way, 40 and 68 by pieces, 69 to 95 and 90 to 113 by
// the formulas; the other sweeps have 3 and 4. With two cores at one memory, the near way is limited by memory.
//
// Sums are kept in float32 for at most 32 vectors, and joined in float64. Rows of which that is not safe, because
// squares could leave float32's range or because the adaptive scale could cancel, are careful rows: their sums and
// formulas are float64 throughout.
#include "cpu/isa/velu_kernels.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "math/simd.h"
#include "math/velu_math.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using simd::AllLanes;
using simd::FirstLanes;
using simd::for_each_vector;
using V = simd::Vector;
using Wide = V::Wide;

#define VELU_SWEEP __attribute__((always_inline))

/// Vectors whose products are summed in float32, which loses 1e-6 of the sum of their sizes at most.
constexpr int64_t kStretch = 32;

/// The same for moments. Squares of 16 deviations from one of them are at most 17 times those from the mean, so float32
/// loses 2e-5 of these if all roundings conspire, and 1e-7 as a rule.
constexpr int64_t kMomentStretch = 16;

/// Rows whose formulas are done side by side.
constexpr int64_t kGroupRows = 16;

int64_t group_rows(int64_t channels) {
    return std::clamp<int64_t>(4096 / channels, 1, kGroupRows);
}

// --- The ways to x g and d(x g)/dx -----------------------------------------------------------------------------------

/// x g and d(x g)/dx.
struct Gated {
    V value, slope;
};

enum class WayName : uint8_t { kNear, kPieces, kFull };

class NearWay {
public:
    explicit NearWay(const VeluConstants& constants) : fit_(*constants.fit) {}

    VELU_SWEEP V gated(V x) const { return x * mul_add(x, polynomial(fit_.near_gate, x * x), V(0.5f)); }

    VELU_SWEEP Gated gated_and_slope(V x) const {
        const V square = x * x;
        return {x * mul_add(x, polynomial(fit_.near_gate, square), V(0.5f)),
                mul_add(x, polynomial(fit_.near_slope, square), V(0.5f))};
    }

private:
    template <size_t kTerms>
    VELU_SWEEP static V polynomial(const std::array<float, kTerms>& terms, V square) {
        V sum(terms[kTerms - 1]);
        for (size_t k = kTerms - 1; k-- > 0;) sum = mul_add(sum, square, V(terms[k]));
        return sum;
    }

    const VeluFit& fit_;
};

class FullWay {
public:
    explicit FullWay(const VeluConstants& constants)
        : k_{constants.params.alpha, constants.params.beta1, constants.params.beta2} {}

    VELU_SWEEP V gated(V x) const { return x * gate(k_, angle(element(k_, x))).value; }

    VELU_SWEEP Gated gated_and_slope(V x) const {
        const math::Element<V> e = element(k_, x);
        const math::Gate<V> g = gate(k_, angle(e));
        // x m' is at most of order 1 near 0 and 2896 at the clip: nothing overflows before the gate's slope is in.
        return {x * g.value, g.value + x * angle_slope(k_, e) * g.slope * k_.alpha};
    }

private:
    math::GateConstants<V> k_;
};

/// For vectors with a table.
template <class Vector>
class PiecesWay {
public:
    static constexpr bool kAvailable = false;
};

template <class Vector>
requires requires {
    typename Vector::Table;
}
class PiecesWay<Vector> {
public:
    static constexpr bool kAvailable = true;

    explicit PiecesWay(const VeluConstants& constants) : constants_(constants), fit_(*constants.fit) {}

    VELU_SWEEP Vector gated(Vector x) const {
        const Place at = place(x);
        return value(x, at.size, looked_up(fit_.piece_gate, at.piece, at.z - at.center));
    }

    VELU_SWEEP Gated gated_and_slope(Vector x) const {
        const Place at = place(x);
        if (!all(at.root >= Vector(0x1p-12f))) return next_to_the_clip(constants_, x);
        const Vector one(1.0f), t = at.z - at.center;
        const Vector below = looked_up(fit_.piece_gate, at.piece, t);
        const Vector factor = select(at.inside, one / at.root, one);
        const Vector of_negative = below - looked_up(fit_.piece_slope, at.piece, t) * factor;
        return {value(x, at.size, below), select(x > Vector(0.0f), one - of_negative, of_negative)};
    }

private:
    struct Place {
        typename Vector::Mask inside;
        Vector size, root, z, piece, center;
    };

    VELU_SWEEP Place place(Vector x) const {
        constexpr float kUnitsInTheLastPlaceAreOne = 12582912.0f;  // 1.5 * 2^23; its low bits are 0
        const Vector size = abs(x);
        const Vector below = fused_mul_add(Vector(-fit_.beta), size, Vector(1.0f));
        const Vector root = sqrt(abs(below));
        const auto inside = below > Vector(0.0f);
        const Vector z = mul_add(root, select(inside, Vector(fit_.kInnerScale), Vector(-fit_.outer_scale)),
                                 select(inside, Vector(fit_.kInnerOffset), Vector(fit_.kOuterOffset)));
        const Vector piece = z + Vector(kUnitsInTheLastPlaceAreOne);
        return {inside, size, root, z, piece, piece - Vector(kUnitsInTheLastPlaceAreOne)};
    }

    VELU_SWEEP static Vector looked_up(const VeluFit::Pieces& pieces, Vector piece, Vector t) {
        const auto term = [&](size_t k) VELU_SWEEP { return typename Vector::Table(pieces[k].data())[piece]; };
        Vector sum = term(VeluFit::kPieceTerms - 1);
        for (size_t k = VeluFit::kPieceTerms - 1; k-- > 0;) sum = mul_add(sum, t, term(k));
        return sum;
    }

    /// Where (1 - beta x) (1 + beta x) may be below its floor of 2^-23: one element in a million.
    __attribute__((noinline, cold)) static Gated next_to_the_clip(const VeluConstants& constants, Vector x) {
        return FullWay(constants).gated_and_slope(x);
    }

    /// x g from the gate of -|x|.
    VELU_SWEEP static Vector value(Vector x, Vector size, Vector below) {
        return mul_add(-size, below, max(x, Vector(0.0f)));
    }

    const VeluConstants& constants_;
    const VeluFit& fit_;
};

/// body(way) with the way of that name.
template <class Body>
VELU_SWEEP inline void with_way(WayName name, const VeluConstants& constants, const Body& body) {
    if (name == WayName::kNear) return body(NearWay(constants));
    if constexpr (PiecesWay<V>::kAvailable) {
        if (name == WayName::kPieces) return body(PiecesWay<V>(constants));
    }
    body(FullWay(constants));
}

// --- Rows ------------------------------------------------------------------------------------------------------------

/// What is known of a group's rows before their elements are done.
struct Rows {
    alignas(64) float square[kGroupRows];  // of the statistic's root: mean of x^2, or variance
    alignas(64) float a[kGroupRows];
    alignas(64) float pull[kGroupRows];  // dx += R pull (x - center)
    double center[kGroupRows];
    WayName way[kGroupRows];
    bool careful[kGroupRows];
    math::RowStatistic statistic[kGroupRows];  // of careful rows
    double slope[kGroupRows];                  // da/ds of careful rows
};

WayName way_for(const VeluFit& fit, V sizes) {
    if (all(sizes <= V(fit.near_most))) return WayName::kNear;
    if (PiecesWay<V>::kAvailable && all(sizes <= V(fit.pieces_most))) return WayName::kPieces;
    return WayName::kFull;
}

/// Sum of x^2 in float32: at most 16 terms per lane, then joined in float64. Overflows above 2^63, and is then infinite
/// or NaN. sizes: at least |x|, lane by lane.
template <class T>
double sum_of_squares(const T* x, int64_t channels, V& sizes) {
    constexpr int64_t kLanes = V::kLanes;
    const int64_t whole = channels - channels % kLanes;
    const V zero(0.0f);
    V other_sizes = zero;
    double total = 0;
    for (int64_t c = 0; c < whole;) {
        const int64_t end = std::min(whole, c + 64 * kLanes);
        V squares = zero, squares1 = zero, squares2 = zero, squares3 = zero;
        for (; c + 4 * kLanes <= end; c += 4 * kLanes) {
            const V x0 = V::load(x + c), x1 = V::load(x + c + kLanes), x2 = V::load(x + c + 2 * kLanes),
                    x3 = V::load(x + c + 3 * kLanes);
            squares = mul_add(x0, x0, squares);
            squares1 = mul_add(x1, x1, squares1);
            squares2 = mul_add(x2, x2, squares2);
            squares3 = mul_add(x3, x3, squares3);
            sizes = larger_size(larger_size(sizes, x0), x1);
            other_sizes = larger_size(larger_size(other_sizes, x2), x3);
        }
        for (; c < end; c += kLanes) {
            const V x0 = V::load(x + c);
            squares = mul_add(x0, x0, squares);
            sizes = larger_size(sizes, x0);
        }
        total += static_cast<double>(sum((squares + squares1) + (squares2 + squares3)));
    }
    if (whole < channels) {
        const V x0 = V::load(x + whole, static_cast<int>(channels - whole), zero);
        sizes = larger_size(sizes, x0);
        total += static_cast<double>(sum(x0 * x0));
    }
    sizes = larger_size(sizes, other_sizes);
    return total;
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

/// The first sweep of a group. Which way a row goes depends on nothing but the row.
template <bool kGradient, class T>
void examine(const VeluConstants& constants, const T* x, int64_t count, int64_t channels, Rows& rows) {
    const velu_velu_params& params = constants.params;
    if (all_are_careful(params)) {
        for (int64_t row = 0; row < count; ++row) take_care(params, x + row * channels, channels, row, rows);
        return;
    }
    const bool is_std = params.statistic == VELU_STATISTIC_STD;
    const double eps = static_cast<double>(params.eps), share = 1.0 / static_cast<double>(channels);
    std::fill_n(rows.square, kGroupRows, 1.0f);
    for (int64_t row = 0; row < count; ++row) {
        V sizes(0.0f);
        double square;
        rows.center[row] = 0;
        if (is_std) {
            const math::RowStatistic stat = statistic(params, x + row * channels, channels, sizes);
            rows.center[row] = stat.center;
            square = stat.s * stat.s;
        } else {
            square = sum_of_squares(x + row * channels, channels, sizes) * share + eps;
        }
        // NaN, infinity, and what could overflow when squared and summed.
        rows.careful[row] = !(square <= 0x1p60 && all(sizes <= V(0x1p40f)));
        rows.square[row] = rows.careful[row] ? 1.0f : static_cast<float>(square);
        rows.way[row] = way_for(*constants.fit, sizes);
    }
    scale_rows<kGradient>(params, count, channels, rows);
    for (int64_t row = 0; row < count; ++row) {
        if (params.clamp != 0 && !rows.careful[row]) {
            // Next to a bound, float64 decides on which side of it the scale is.
            const float of_low = rows.a[row] - params.scale_min, of_high = params.scale_max - rows.a[row];
            if (of_low < 1e-5f || of_high < 1e-5f) rows.careful[row] = true;
        }
        if (rows.careful[row]) take_care(params, x + row * channels, channels, row, rows);
    }
}

// --- Forward ---------------------------------------------------------------------------------------------------------

/// Sums of A - shift and its square over a block: in each lane over a stretch of vectors in float32, with the lane's
/// first A as shift, so that neither sum is much larger than the deviations themselves; then in float64.
class MomentSums {
public:
    /// Before the next `vectors` vectors: makes room for them in the stretch.
    VELU_SWEEP void make_room(int64_t vectors, int64_t limit) {
        if (whole_ + cut_ + vectors > limit) finish_stretch();
    }

    VELU_SWEEP void add(V a, AllLanes) {
        if (is_new_) start(a);
        const V deviation = a - shift_;
        deviations_ = deviations_ + deviation;
        squares_ = mul_add(deviation, deviation, squares_);
    }
    VELU_SWEEP void add(V a, FirstLanes lanes) {
        if (is_new_) start(a);
        const V deviation = lanes.keep(a - shift_, V(0.0f));
        deviations_ = deviations_ + deviation;
        squares_ = mul_add(deviation, deviation, squares_);
    }

    /// After them: how many they were, and how many lanes a cut one had.
    VELU_SWEEP void count_whole(int64_t vectors) { whole_ += vectors; }
    VELU_SWEEP void count_cut(int lanes) {
        cut_ += 1;
        lanes_of_cut_ = lanes;
    }

    Moments moments(double count) {
        finish_stretch();
        return math::moments_of_sums(count, static_cast<double>(center_), sum(all_deviations_), sum(all_squares_));
    }

private:
    VELU_SWEEP void start(V a) {
        // Infinities and NaN reach the sums.
        shift_ = select(abs(a) <= V(0x1.fffffep127f), a, V(0.0f));
        is_new_ = false;
    }

    __attribute__((noinline)) void finish_stretch() {
        if (is_new_) return;
        if (!has_center_) center_ = first(shift_);
        has_center_ = true;
        const auto counted = [&](int64_t vectors) { return V(static_cast<float>(vectors)); };
        const Wide n =
            widen(first_lanes(counted(whole_ + cut_), cut_ > 0 ? lanes_of_cut_ : V::kLanes, counted(whole_)));
        const Wide offset = widen(shift_) - Wide(static_cast<double>(center_));
        const Wide deviations = widen(deviations_);
        const Wide of_offset = n * offset;
        all_squares_ = all_squares_ + mul_add(offset, deviations + deviations + of_offset, widen(squares_));
        all_deviations_ = all_deviations_ + (deviations + of_offset);
        shift_ = deviations_ = squares_ = V(0.0f);
        is_new_ = true;
        whole_ = cut_ = 0;
    }

    V shift_ = V(0.0f), deviations_ = V(0.0f), squares_ = V(0.0f);
    int64_t whole_ = 0, cut_ = 0;
    int lanes_of_cut_ = 0;
    bool is_new_ = true, has_center_ = false;
    float center_ = 0;
    Wide all_deviations_, all_squares_;
};

/// Rows [first, last) of a group, all of one way and one care.
template <bool kMoments, class Way, class T>
void forward_rows(const Way& way, const Rows& rows, int64_t first_row, int64_t last_row, V lambda, int64_t limit,
                  const T* x, T* y, int64_t channels, int64_t ahead, MomentSums& all_sums) {
    constexpr int64_t kLanes = V::kLanes;
    const int64_t whole = channels - channels % kLanes;
    MomentSums sums = all_sums;
    for (int64_t row = first_row; row < last_row; ++row) {
        const T* from = x + row * channels;
        T* to = y + row * channels;
        const V a(rows.a[row]);
        const auto step = [&](int64_t c, auto lanes) VELU_SWEEP {
            const V activation = way.gated(lanes.load(from + c, V(0.0f))) * a;
            if constexpr (kMoments) sums.add(activation, lanes);
            lanes.store(activation * lambda, to + c);
            __builtin_prefetch(from + c + ahead);
        };
        for (int64_t c = 0; c < whole;) {
            const int64_t end = kMoments ? std::min(whole, c + limit * kLanes) : whole;
            if constexpr (kMoments) {
                sums.make_room((end - c) / kLanes, limit);
                sums.count_whole((end - c) / kLanes);
            }
            for (; c < end; c += kLanes) step(c, AllLanes{});
        }
        if (whole < channels) {
            const FirstLanes rest{static_cast<int>(channels - whole)};
            if constexpr (kMoments) {
                sums.make_room(1, limit);
                sums.count_cut(rest.count);
            }
            step(whole, rest);
        }
    }
    all_sums = sums;
}

/// body(first row, last row) for runs of rows of one way and one care.
template <class Body>
VELU_SWEEP inline void for_each_run(const Rows& rows, int64_t count, const Body& body) {
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

template <bool kMoments, class T>
void forward_block(const VeluConstants& constants, const T* x, T* y, int64_t rows, int64_t channels, Moments* moments) {
    const int64_t in_group = group_rows(channels);
    MomentSums sums;
    Rows group;
    for (int64_t done = 0; done < rows; done += in_group) {
        const int64_t count = std::min(in_group, rows - done);
        const T* from = x + done * channels;
        T* to = y + done * channels;
        examine<false>(constants, from, count, channels, group);
        for_each_run(group, count, [&](int64_t first_row, int64_t last_row) VELU_SWEEP {
            const int64_t limit = group.careful[first_row] ? 1 : kMomentStretch;
            with_way(group.way[first_row], constants, [&](const auto& way) VELU_SWEEP {
                forward_rows<kMoments>(way, group, first_row, last_row, V(constants.lambda), limit, from, to, channels,
                                       in_group * channels, sums);
            });
        });
    }
    if constexpr (kMoments) *moments = sums.moments(static_cast<double>(rows) * static_cast<double>(channels));
}

template <class T>
void forward(const VeluConstants& constants, const T* x, T* y, int64_t rows, int64_t channels, Moments* moments) {
    if (moments != nullptr) {
        forward_block<true>(constants, x, y, rows, channels, moments);
    } else {
        forward_block<false>(constants, x, y, rows, channels, moments);
    }
}

// --- Backward --------------------------------------------------------------------------------------------------------

/// A sum of products: in each lane over a stretch of vectors in float32, then in float64.
class ProductSum {
public:
    VELU_SWEEP void make_room(int64_t vectors, int64_t limit) {
        if (count_ + vectors > limit) finish_stretch();
        count_ += vectors;
    }
    VELU_SWEEP void add(V a, V b) { stretch_ = mul_add(a, b, stretch_); }

    double total() {
        finish_stretch();
        return sum(all_);
    }

private:
    VELU_SWEEP void finish_stretch() {
        all_ = all_ + widen(stretch_);
        stretch_ = V(0.0f);
        count_ = 0;
    }

    V stretch_ = V(0.0f);
    int64_t count_ = 0;
    Wide all_;
};

/// dx += R da/ds ds/dx in a row; direct: dx so far, which may be dx.
template <class T>
VELU_SWEEP inline void add_pull(const Rows& rows, int64_t row, double through_scale, const T* x, const float* direct,
                                T* dx, int64_t channels) {
    const V zero(0.0f);
    if (rows.careful[row]) {
        const math::RowStatistic& stat = rows.statistic[row];
        const V slope(static_cast<float>(through_scale * rows.slope[row])), inverse(static_cast<float>(stat.inverse));
        const auto center = static_cast<float>(stat.center);
        const V high(center), low(static_cast<float>(stat.center - static_cast<double>(center)));
        return for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            const V deviation = (lanes.load(x + c, zero) - high) - low;
            lanes.store(mul_add(deviation * inverse, slope, lanes.load(direct + c, zero)), dx + c);
        });
    }
    const V pull(static_cast<float>(through_scale * static_cast<double>(rows.pull[row])));
    if (rows.center[row] == 0.0) {
        return for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
            lanes.store(mul_add(lanes.load(x + c, zero), pull, lanes.load(direct + c, zero)), dx + c);
        });
    }
    // The center in two floats: in a row of 1000 +- 0.01 its rounding would be a visible part of the deviations.
    const auto center = static_cast<float>(rows.center[row]);
    const V high(center), low(static_cast<float>(rows.center[row] - static_cast<double>(center)));
    for_each_vector<V>(channels, [&](int64_t c, auto lanes) VELU_SWEEP {
        const V deviation = (lanes.load(x + c, zero) - high) - low;
        lanes.store(mul_add(deviation, pull, lanes.load(direct + c, zero)), dx + c);
    });
}

template <bool kW2, class Way, class T>
void backward_rows(const VeluConstants& constants, const Way& way, const Rows& rows, int64_t first_row,
                   int64_t last_row, int64_t limit, const T* x, const T* dy, T* dx, int64_t channels, int64_t ahead,
                   float* scratch, ProductSum& lambda_gradient) {
    constexpr int64_t kLanes = V::kLanes;
    const V lambda(constants.lambda);
    const V w2_offset(constants.w2_offset), w2_slope(constants.w2_slope), w2_mean(constants.w2_mean);
    const int64_t whole = channels - channels % kLanes;
    ProductSum of_lambda = lambda_gradient;
    for (int64_t row = first_row; row < last_row; ++row) {
        const T* from = x + row * channels;
        const T* upstream = dy + row * channels;
        T* to = dx + row * channels;
        float* direct = scratch;
        if constexpr (std::is_same_v<T, float>) direct = to;
        const V a(rows.a[row]);
        V through_scale(0.0f);  // sum of dA x g = dL/da of this row
        double all_through_scale = 0;

        const auto step = [&](int64_t c, auto lanes) VELU_SWEEP {
            const V of_y = lanes.load(upstream + c, V(0.0f));
            // Past the end of a row x g is 0, and so are both products.
            const Gated x_g = way.gated_and_slope(lanes.load(from + c, V(0.0f)));
            const V activation = x_g.value * a;
            V d_activation = of_y * lambda;
            if constexpr (kW2) {
                d_activation = mul_add(of_y, lambda, mul_add(activation - w2_mean, w2_slope, w2_offset));
            }
            lanes.store(d_activation * a * x_g.slope, direct + c);
            through_scale = mul_add(d_activation, x_g.value, through_scale);
            of_lambda.add(of_y, activation);
            __builtin_prefetch(from + c + ahead);
            __builtin_prefetch(upstream + c + ahead);
        };
        const auto join = [&]() VELU_SWEEP {
            all_through_scale += limit == 1 ? sum(widen(through_scale)) : static_cast<double>(sum(through_scale));
            through_scale = V(0.0f);
        };
        for (int64_t c = 0; c < whole;) {
            const int64_t end = std::min(whole, c + limit * kLanes);
            of_lambda.make_room((end - c) / kLanes, limit);
            for (; c < end; c += kLanes) step(c, AllLanes{});
            if (c < channels) join();
        }
        if (whole < channels) {
            of_lambda.make_room(1, limit);
            step(whole, FirstLanes{static_cast<int>(channels - whole)});
        }
        join();
        add_pull(rows, row, all_through_scale, from, direct, to, channels);
    }
    lambda_gradient = of_lambda;
}

template <bool kW2, class T>
void backward_block(const VeluConstants& constants, const T* x, const T* dy, T* dx, int64_t rows, int64_t channels,
                    double* dlambda, float* scratch) {
    const int64_t in_group = group_rows(channels);
    ProductSum lambda_gradient;
    Rows group;
    for (int64_t done = 0; done < rows; done += in_group) {
        const int64_t count = std::min(in_group, rows - done), start = done * channels;
        examine<true>(constants, x + start, count, channels, group);
        for_each_run(group, count, [&](int64_t first_row, int64_t last_row) VELU_SWEEP {
            const int64_t limit = group.careful[first_row] ? 1 : kStretch;
            with_way(group.way[first_row], constants, [&](const auto& way) VELU_SWEEP {
                backward_rows<kW2>(constants, way, group, first_row, last_row, limit, x + start, dy + start, dx + start,
                                   channels, in_group * channels, scratch, lambda_gradient);
            });
        });
    }
    if (dlambda != nullptr) *dlambda = lambda_gradient.total();
}

template <class T>
void backward(const VeluConstants& constants, const T* x, const T* dy, T* dx, int64_t rows, int64_t channels,
              double* dlambda, float* row) {
    if (constants.w2) {
        backward_block<true>(constants, x, dy, dx, rows, channels, dlambda, row);
    } else {
        backward_block<false>(constants, x, dy, dx, rows, channels, dlambda, row);
    }
}

}  // namespace

extern const ByElement<VeluKernels> velu_kernels = {
    {forward<float>, backward<float>},
    {forward<BFloat16>, backward<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
