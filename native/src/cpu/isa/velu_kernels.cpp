// VeLU by groups of rows, of about 16 KiB. A group is read from memory once and found in the cache by the sweeps that
// follow: one for the rows' statistics, which also tells how large their elements are, and one to apply in forward (4
// bytes read, 4 written per element of float); one more in backward (8 read, 4 written), as the statistic's gradient
// needs a sum over the row first. While a group is computed, the next is fetched, and what forward writes a little
// ahead.
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
#include <type_traits>

#include "cpu/isa/velu_rows.h"
#include "cpu/isa/velu_ways.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using simd::AllLanes;
using simd::FirstLanes;

/// Vectors whose products are summed in float32, which loses 1e-6 of the sum of their sizes at most.
constexpr int64_t kStretch = 32;

/// The same for moments. Squares of 16 deviations from one of them are at most 17 times those from the mean, so float32
/// loses 2e-5 of these if all roundings conspire, and 1e-7 as a rule.
constexpr int64_t kMomentStretch = 16;

/// How far ahead of a write its line is fetched, in elements. Fetched lines of x, y and this group share a small cache.
constexpr int64_t kWriteAhead = 1024;

// --- Forward ---------------------------------------------------------------------------------------------------------

/// Sums of A - shift and its square over a block: in each lane over a stretch of vectors in float32, with the lane's
/// first A as shift, so that neither sum is much larger than the deviations themselves; then in float64.
class MomentSums {
public:
    /// One stretch, to be kept in registers.
    struct Stretch {
        V shift, deviations, squares;

        VELU_SWEEP void start(V a) {
            // Infinities and NaN reach the sums.
            shift = select(abs(a) <= V(0x1.fffffep127f), a, V(0.0f));
        }
        template <class Lanes>
        VELU_SWEEP void add(V a, Lanes lanes) {
            const V deviation = lanes.keep(a - shift, V(0.0f));
            deviations = deviations + deviation;
            squares = mul_add(deviation, deviation, squares);
        }
    };

    /// The stretch for the next vectors: `whole` ones, and `cut` ones of `lanes_of_cut` lanes.
    VELU_SWEEP Stretch open(int64_t whole, int64_t cut, int lanes_of_cut, int64_t limit) {
        if (whole_ + cut_ + whole + cut > limit) finish_stretch();
        whole_ += whole;
        cut_ += cut;
        if (cut > 0) lanes_of_cut_ = lanes_of_cut;
        return stretch_;
    }
    /// Whether it has not had its first A.
    VELU_SWEEP bool is_new() const { return is_new_; }
    VELU_SWEEP void close(const Stretch& stretch) {
        stretch_ = stretch;
        is_new_ = false;
    }

    Moments moments(double count) {
        finish_stretch();
        return math::moments_of_sums(count, static_cast<double>(center_), sum(all_deviations_), sum(all_squares_));
    }

private:
    __attribute__((noinline)) void finish_stretch() {
        if (is_new_) return;
        if (!has_center_) center_ = first(stretch_.shift);
        has_center_ = true;
        const auto counted = [&](int64_t vectors) { return V(static_cast<float>(vectors)); };
        const Wide n =
            widen(first_lanes(counted(whole_ + cut_), cut_ > 0 ? lanes_of_cut_ : V::kLanes, counted(whole_)));
        const Wide offset = widen(stretch_.shift) - Wide(static_cast<double>(center_));
        const Wide deviations = widen(stretch_.deviations);
        const Wide of_offset = n * offset;
        all_squares_ = all_squares_ + mul_add(offset, deviations + deviations + of_offset, widen(stretch_.squares));
        all_deviations_ = all_deviations_ + (deviations + of_offset);
        stretch_ = {V(0.0f), V(0.0f), V(0.0f)};
        is_new_ = true;
        whole_ = cut_ = 0;
    }

    Stretch stretch_{V(0.0f), V(0.0f), V(0.0f)};
    int64_t whole_ = 0, cut_ = 0;
    int lanes_of_cut_ = 0;
    bool is_new_ = true, has_center_ = false;
    float center_ = 0;
    Wide all_deviations_, all_squares_;
};

/// Rows [first, last) of a group, all of one way and one care.
template <bool kMoments, class Way, class T>
void forward_rows(const Way& way, const Rows& rows, int64_t first_row, int64_t last_row, V lambda, int64_t limit,
                  const T* x, T* y, int64_t channels, int64_t ahead, MomentSums& sums) {
    constexpr int64_t kLanes = V::kLanes;
    // Of rows [row, end_row), elements [begin, end): a stretch at most.
    const auto apply = [&](int64_t row, int64_t end_row, int64_t begin, int64_t end) VELU_SWEEP {
        const int64_t whole = end - end % kLanes;
        const FirstLanes rest{static_cast<int>(end - whole)};
        MomentSums::Stretch stretch{V(0.0f), V(0.0f), V(0.0f)};
        bool is_new = false;
        if constexpr (kMoments) {
            const int64_t count = end_row - row;
            stretch = sums.open(count * (whole - begin) / kLanes, rest.count > 0 ? count : 0, rest.count, limit);
            is_new = sums.is_new();
        }
        for (; row < end_row; ++row) {
            const T* from = x + row * channels;
            T* to = y + row * channels;
            const V a(rows.a[row]);
            const auto step = [&](int64_t c, auto lanes) VELU_SWEEP {
                const V activation = way.gated(lanes.load(from + c, V(0.0f))) * a;
                if constexpr (kMoments) {
                    if (is_new) stretch.start(activation);
                    is_new = false;
                    stretch.add(activation, lanes);
                }
                lanes.store(activation * lambda, to + c);
                __builtin_prefetch(from + c + ahead);
                __builtin_prefetch(to + c + kWriteAhead, 1);
            };
            for (int64_t c = begin; c < whole; c += kLanes) step(c, AllLanes{});
            if (rest.count > 0) step(whole, rest);
        }
        if constexpr (kMoments) sums.close(stretch);
    };

    const int64_t vectors = (channels + kLanes - 1) / kLanes;
    const int64_t together = kMoments ? std::max<int64_t>(1, limit / vectors) : last_row - first_row;
    const int64_t length = kMoments ? limit * kLanes : channels;
    for (int64_t row = first_row; row < last_row; row += together) {
        const int64_t end_row = std::min(last_row, row + together);
        for (int64_t c = 0; c < channels; c += length) apply(row, end_row, c, std::min(channels, c + length));
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
