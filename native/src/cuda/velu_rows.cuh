// VeLU and its gradient over rows, for velu.cu and batch_norm.cu: the kernels are the same but for where the input of
// the activation comes from (a source), and for the sums per channel that batch normalization wants of the gradient.
//
// Which kernel does a shape, and how a tile of rows is spread over the lanes: row.cuh. A tile is loaded whole; its
// rows' sums of squares are also what tells whether the warp's elements may go the short way (velu_gate.cuh).
#pragma once

#include <type_traits>

#include "cuda/row_scale.cuh"
#include "cuda/velu_float64_rows.cuh"
#include "cuda/velu_gate.cuh"
#include "cuda/velu_moments.cuh"

namespace velu::cuda {

// --- Sources ---------------------------------------------------------------------------------------------------------

/// The activation's input is stored: z = x.
template <class T>
struct PlainSource {
    using Element = T;
    static constexpr bool kNormalized = false;
    struct Channels {};

    const T* x;

    template <int N>
    __device__ __forceinline__ Channels channels(int64_t) const {
        return {};
    }
    /// Elements from one row of x to the next.
    __device__ __forceinline__ int64_t pitch(int64_t channels) const { return channels; }
    /// z, and z's deviation from its channel's mean where there is one. x_offset is the place in x, offset that in
    /// dense tensors.
    template <int N>
    __device__ __forceinline__ void read(int64_t x_offset, int64_t, const Channels&, float (&z)[N], float*) const {
        load(x + x_offset, z);
    }
    __device__ __forceinline__ float element(int64_t x_offset, int64_t, int64_t) const { return to_float(x[x_offset]); }
};

/// What batch normalization knows of its channels, in one block of scratch: mean, scale and bias, [channels] each,
/// padded to 64 floats. z = scale (x - mean) + bias.
struct ChannelLine {
    const float* mean;
    const float* scale;
    const float* bias;
};

/// The activation's input is z = scale (x - mean) + bias + residual. First the difference, which is exact where it
/// cancels; a folded bias - scale * mean would lose it.
template <class T>
struct NormalizedSource {
    using Element = T;
    static constexpr bool kNormalized = true;
    template <int N>
    struct Line {
        float mean[N], scale[N], bias[N];
    };

    const T* x;
    int64_t x_pitch;
    const T* residual;  // or NULL
    ChannelLine line;

    template <int N>
    __device__ __forceinline__ Line<N> channels(int64_t column) const {
        Line<N> of{};
        load(line.mean + column, of.mean);
        load(line.scale + column, of.scale);
        load(line.bias + column, of.bias);
        return of;
    }
    __device__ __forceinline__ int64_t pitch(int64_t) const { return x_pitch; }
    template <int N>
    __device__ __forceinline__ void read(int64_t x_offset, int64_t offset, const Line<N>& of, float (&z)[N],
                                         float* deviation) const {
        load(x + x_offset, z);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const float d = z[i] - of.mean[i];
            if (deviation != nullptr) deviation[i] = d;
            z[i] = fmaf(d, of.scale[i], of.bias[i]);
        }
        if (residual == nullptr) return;
        float added[N];
        load(residual + offset, added);
#pragma unroll
        for (int i = 0; i < N; ++i) z[i] += added[i];
    }
    __device__ __forceinline__ float element(int64_t x_offset, int64_t offset, int64_t column) const {
        const float d = to_float(x[x_offset]) - line.mean[column];
        const float z = fmaf(d, line.scale[column], line.bias[column]);
        return residual == nullptr ? z : z + to_float(residual[offset]);
    }
};

// --- Loops over a thread's packs -------------------------------------------------------------------------------------

/// pack[0 .. P) by one body's code for all of them, and without indexing registers: each turn does pack 0 and moves the
/// others up. For code too long to stand there P times.
template <int P, int N>
__device__ __forceinline__ void rotate(float (&pack)[P][N]) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const float first = pack[0][i];
#pragma unroll
        for (int p = 0; p + 1 < P; ++p) pack[p][i] = pack[p + 1][i];
        pack[P - 1][i] = first;
    }
}
template <int P>
__device__ __forceinline__ void rotate(float (&number)[P]) {
    const float first = number[0];
#pragma unroll
    for (int p = 0; p + 1 < P; ++p) number[p] = number[p + 1];
    number[P - 1] = first;
}

/// Sums of squares of the rows of a tile, as far as this thread holds them.
template <int kRows, int kPacks, int N>
__device__ __forceinline__ void sum_squares(const float (&x)[kRows * kPacks][N], float (&squares)[kRows]) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
        squares[r] = 0;
#pragma unroll
        for (int p = 0; p < kPacks; ++p) {
#pragma unroll
            for (int i = 0; i < N; ++i) squares[r] = fmaf(x[r * kPacks + p][i], x[r * kPacks + p][i], squares[r]);
        }
    }
}

template <int N>
__device__ __forceinline__ bool all_at_most(const float (&value)[N], float most) {
    bool result = true;
#pragma unroll
    for (int i = 0; i < N; ++i) result = result && value[i] <= most;  // false for NaN
    return result;
}

template <int P, int N>
__device__ __forceinline__ void clear(float (&pack)[P][N]) {
#pragma unroll
    for (int p = 0; p < P; ++p) {
#pragma unroll
        for (int i = 0; i < N; ++i) pack[p][i] = 0;
    }
}

// --- Forward ---------------------------------------------------------------------------------------------------------

/// Elements that a thread holds in forward. A float residual takes as many registers again while it is loaded.
template <class Source>
inline constexpr int kForwardElements = Source::kNormalized&& std::is_same_v<typename Source::Element, float> ? 16 : 32;

inline constexpr Resident kForwardResident{512, 512};

template <class T>
struct ForwardArguments {
    RowShape shape;
    RowScaleConstants scale;
    VeluGate<T> gate;
    const float* lambda;     // or NULL for 1
    T* y;                    // or NULL to get the moments only
    math::Moments* moments;  // one per block, or NULL
};

/// The moments of this block's part of A; in float64 where float32 cannot resolve them. Fused batch normalization keeps
/// float32: the rounding of z is larger than that of A.
template <int kRows, bool kIsBlock, class T, class Source>
__device__ __forceinline__ void leave_moments(const Team<kIsBlock>& team, const ForwardArguments<T>& k,
                                              const Source& source, const ThreadMoments& mine) {
    math::Moments all = block_moments(mine.moments());
    if constexpr (!Source::kNormalized) {
        if (!math::float32_moments_suffice(all)) all = float64_moments<kRows>(team, k.shape, k.scale.params, source.x);
    }
    if (threadIdx.x == 0) k.moments[blockIdx.x] = all;
}

/// y = lambda A, one pass: sizeof(T) read (twice that with a residual) and sizeof(T) written per element. Instructions
/// per element on the short way, counted in PTX, of 55 (float) and 27 (BFloat16) that the memory of an H200 leaves time
/// for: gate and product 15.5 (12), squares 1, sums and formulas of rows 5 (shuffles counted 4), scale and lambda 2,
/// moments 3 and 1 for their way to float64, loads, stores and addresses 5 (3), BFloat16's conversions 0 (3): 33 (30),
/// without moments 29 (26). Normalizing adds 3. So float is limited by memory, BFloat16 by memory or at 90 % of it by
/// issue. On the long way about 120: for float 45 % of the bandwidth.
template <class T, int kPacks, bool kIsBlock, class Source>
__global__ void __launch_bounds__(kIsBlock ? kForwardResident.in_blocks : kForwardResident.in_warps, 1)
    velu_forward_rows(ForwardArguments<T> k, Source source) {
    constexpr int kSize = kPackSize<T>, kAll = kForwardElements<Source> / kSize, kRows = kAll / kPacks;
    Team<kIsBlock> team(k.shape);
    const float lambda = k.lambda == nullptr ? 1.0f : *k.lambda;
    bool inside[kPacks];
#pragma unroll
    for (int p = 0; p < kPacks; ++p) inside[p] = (p * team.size + team.place) * kSize < k.shape.channels;
    ThreadMoments moments;

    for (; team.template row<kRows>(team.tile, 0) - team.group < k.shape.rows; team.tile += team.step) {
        const int64_t first_row = team.template row<kRows>(team.tile, 0);
        const int64_t row_stride = team.groups * k.shape.channels;
        const int64_t first = first_row * k.shape.channels + team.place * kSize;
        const int64_t x_stride = team.groups * source.pitch(k.shape.channels);
        const int64_t first_x = first_row * source.pitch(k.shape.channels) + team.place * kSize;
        const auto holds = [&](int r, int p) { return inside[p] && first_row + r * team.groups < k.shape.rows; };

        float x[kAll][kSize];
        clear(x);
#pragma unroll
        for (int p = 0; p < kPacks; ++p) {
            if (!inside[p]) continue;
            const int64_t column = p * team.size * kSize;
            const auto line = source.template channels<kSize>(column + team.place * kSize);
            int64_t x_offset = first_x + column;
#pragma unroll
            for (int r = 0; r < kRows; ++r, x_offset += x_stride) {
                if (!holds(r, p)) continue;
                source.read(x_offset, first + r * row_stride + column, line, x[r * kPacks + p], nullptr);
            }
        }

        float squares[kRows];
        sum_squares<kRows, kPacks>(x, squares);
        const bool is_short = __all_sync(kAllLanes, all_at_most(squares, k.gate.most_square));
        const RowScale scale = row_scale<kRows, kPacks>(k.scale, team, x, inside, team.sum(squares));

        const auto gate_all = [&](const auto& gate) {
#pragma unroll
            for (int p = 0; p < kAll; ++p) {
#pragma unroll
                for (int i = 0; i < kSize; ++i) x[p][i] *= gate(x[p][i]);
            }
        };
        if (!is_short) {
#pragma unroll 1
            for (int turn = 0; turn < kAll; ++turn) {
#pragma unroll
                for (int i = 0; i < kSize; ++i) x[0][i] *= k.gate.value(x[0][i]);
                rotate(x);
            }
        } else if (k.gate.small) {
            gate_all([&](float value) { return k.gate.template short_value<true>(value); });
        } else {
            gate_all([&](float value) { return k.gate.template short_value<false>(value); });
        }

        int count = 0;
        float shift = 0, deviations = 0, square_deviations = 0;
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
            const float a = team.of_row(scale.a, r);
#pragma unroll
            for (int p = 0; p < kPacks; ++p) {
                float(&pack)[kSize] = x[r * kPacks + p];
#pragma unroll
                for (int i = 0; i < kSize; ++i) pack[i] *= a;
                if (!holds(r, p)) continue;
                if (k.moments != nullptr) {
                    // A thread without its first pack has none. Infinities and NaN reach the sums.
                    if (r == 0 && p == 0) shift = pack[0] - pack[0] == 0.0f ? pack[0] : 0.0f;
                    count += kSize;
#pragma unroll
                    for (int i = 0; i < kSize; ++i) {
                        const float deviation = pack[i] - shift;
                        deviations += deviation;
                        square_deviations = fmaf(deviation, deviation, square_deviations);
                    }
                }
#pragma unroll
                for (int i = 0; i < kSize; ++i) pack[i] *= lambda;
                if (k.y != nullptr) store(pack, k.y + first + r * row_stride + p * team.size * kSize);
            }
        }
        if (count > 0) moments.add(count, shift, deviations, square_deviations);
    }
    if (k.moments == nullptr) return;
    Team<kIsBlock> again(k.shape);
    leave_moments<kRows>(again, k, source, moments);
}

/// The same for any number of channels and any alignment, an element at a time: the row is read a second time, from the
/// cache, and its sums and formulas are float64. Bound by latency and float64 units, at perhaps a quarter of the
/// bandwidth.
template <class T, bool kIsBlock, class Source>
__global__ void __launch_bounds__(kRowThreads, 1) velu_forward_any(ForwardArguments<T> k, Source source) {
    Team<kIsBlock> team(k.shape);
    const int64_t channels = k.shape.channels;
    const float lambda = k.lambda == nullptr ? 1.0f : *k.lambda;
    ThreadMoments moments;
    for (; team.tile * team.groups < k.shape.rows; team.tile += team.step) {
        const int64_t row = team.template row<1>(team.tile, 0);
        const int64_t start = row * channels, end = row < k.shape.rows ? channels : 0;
        const int64_t start_x = row * source.pitch(channels);
        const bool is_std = k.scale.params.statistic == VELU_STATISTIC_STD;
        const double shift = is_std && end > 0 ? static_cast<double>(source.element(start_x, start, 0)) : 0.0;
        double deviations[1] = {0}, squares[1] = {0};
        for (int64_t c = team.place; c < end; c += team.size) {
            const double deviation = static_cast<double>(source.element(start_x + c, start + c, c)) - shift;
            deviations[0] += deviation;
            squares[0] = fma(deviation, deviation, squares[0]);
        }
        const double deviation_sum = team.sum(deviations);
        const float a = k.scale.in_float64(shift, deviation_sum, team.sum(squares)).a;
        for (int64_t c = team.place; c < end; c += team.size) {
            const float z = source.element(start_x + c, start + c, c);
            const float activation = z * k.gate.value(z) * a;
            if (k.moments != nullptr) moments.add(static_cast<double>(activation));
            if (k.y != nullptr) k.y[start + c] = from_float<T>(activation * lambda);
        }
    }
    if (k.moments == nullptr) return;
    Team<kIsBlock> again(k.shape);
    leave_moments<1>(again, k, source, moments);
}

// --- Backward --------------------------------------------------------------------------------------------------------

/// Elements that a thread holds of x and of dy.
inline constexpr int kBackwardElements = 16;

/// With the sums per channel and the deviations from the mean a thread needs more registers, most with 8 channels.
template <class Source>
inline constexpr Resident kBackwardResident =
    Source::kNormalized ? Resident{std::is_same_v<typename Source::Element, float> ? 512 : 384, 512}
                        : Resident{640, 640};

template <class T>
struct BackwardArguments {
    RowShape shape;
    RowScaleConstants scale;
    VeluGate<T> gate;
    const T* dy;
    const float* lambda;  // or NULL for 1
    float w2_weight;
    const float* moments;                // of the whole tensor; not read with w2_weight = 0
    const math::Moments* exact_moments;  // float64_moments_kernel's, if it ran
    int32_t exact_count;
    T* dx;            // dL/dz
    double* dlambda;  // one per block
    // NormalizedSource, not in velu_backward_any: sums over this block's rows, [blocks][3][channels], of dz, of
    // dz (x - mean) and of x - mean.
    float* channel_sums;
};

/// The gradient of w W2^2 in float32, dA += offset + slope A. That slope * mean is in the offset already rounds no
/// worse than A does.
struct W2Terms {
    bool wanted;
    float offset, slope;

    template <class T>
    __device__ __forceinline__ explicit W2Terms(const BackwardArguments<T>& k)
        : wanted(k.w2_weight != 0), offset(0), slope(0) {
        if (!wanted) return;
        const math::W2Gradient w2 =
            math::w2_gradient(k.w2_weight, static_cast<double>(k.moments[0]), static_cast<double>(k.moments[1]),
                              static_cast<double>(k.shape.rows) * k.scale.channels);
        offset = static_cast<float>(w2.offset - w2.slope * w2.mean);
        slope = static_cast<float>(w2.slope);
    }

    /// Of A = x_g a. The choice keeps an infinite A from making a NaN of a gradient that is not wanted.
    __device__ __forceinline__ float of(float x_g, float a) const {
        const float term = fmaf(x_g, slope * a, offset);
        return wanted ? term : 0.0f;
    }
};

/// Whether this gradient is one that float32 cannot give; if so, float64 has done it. The same for all threads.
template <int kRows, bool kIsBlock, class T, class Source>
__device__ __forceinline__ bool done_in_float64(const Team<kIsBlock>& team, const BackwardArguments<T>& k,
                                                const Source& source, float lambda) {
    if constexpr (Source::kNormalized) return false;
    if (k.w2_weight == 0) return false;
    const double elements = static_cast<double>(k.shape.rows) * k.scale.channels;
    if (math::float32_gradient_suffices(k.scale.params, k.w2_weight, k.moments, elements)) return false;
    const math::W2Gradient w2 = math::float64_w2_gradient(k.w2_weight, merged_moments(k.exact_moments, k.exact_count));
    const double dlambda =
        block_total(float64_backward<kRows>(team, k.shape, k.scale.params, lambda, w2, source.x, k.dy, k.dx));
    if (threadIdx.x == 0) k.dlambda[blockIdx.x] = dlambda;
    return true;
}

/// dx in one pass: 2 sizeof(T) read (3 with a residual) and sizeof(T) written per element. Instructions per element on
/// the short way, counted in PTX, of 80 (float) and 40 (BFloat16) that memory leaves time for: gate, slope and products
/// 34 (27), squares 1, sums and formulas of rows 17 (11), the way through the statistic 1, loads, stores and addresses
/// 4 (2), BFloat16's conversions 0 (4): 57 (46). So float is limited by memory, BFloat16 by issue at 87 % of it. The
/// sums per channel and the normalization add 7. On the long way about 170.
template <class T, int kPacks, bool kIsBlock, class Source>
__global__ void __launch_bounds__(!kIsBlock     ? kBackwardResident<Source>.in_warps
                                  : kPacks == 1 ? kBackwardResident<Source>.in_blocks
                                                : kLongRowThreads<T>,
                                  1) velu_backward_rows(BackwardArguments<T> k, Source source) {
    constexpr int kSize = kPackSize<T>, kAll = kBackwardElements / kSize, kRows = kAll / kPacks;
    Team<kIsBlock> team(k.shape);
    const float lambda = k.lambda == nullptr ? 1.0f : *k.lambda;
    if (done_in_float64<kRows>(team, k, source, lambda)) return;
    const W2Terms w2(k);
    const bool is_std = k.scale.params.statistic == VELU_STATISTIC_STD;
    bool inside[kPacks];
#pragma unroll
    for (int p = 0; p < kPacks; ++p) inside[p] = (p * team.size + team.place) * kSize < k.shape.channels;
    __shared__ double dlambda[kLongRowThreads<float>];  // each thread's own; registers are short
    dlambda[threadIdx.x] = 0;
    float sums[3 * kPacks][kSize];  // per channel; not used, and so not there, without normalization
    clear(sums);

    for (; team.template row<kRows>(team.tile, 0) - team.group < k.shape.rows; team.tile += team.step) {
        const int64_t first_row = team.template row<kRows>(team.tile, 0);
        const int64_t row_stride = team.groups * k.shape.channels;
        const int64_t first = first_row * k.shape.channels + team.place * kSize;
        const int64_t x_stride = team.groups * source.pitch(k.shape.channels);
        const int64_t first_x = first_row * source.pitch(k.shape.channels) + team.place * kSize;
        const auto holds = [&](int r, int p) { return inside[p] && first_row + r * team.groups < k.shape.rows; };

        float x[kAll][kSize], d[kAll][kSize], deviation[kAll][kSize];
        clear(x);
        clear(d);
        clear(deviation);
#pragma unroll
        for (int p = 0; p < kPacks; ++p) {
            if (!inside[p]) continue;
            const int64_t column = p * team.size * kSize;
            const auto line = source.template channels<kSize>(column + team.place * kSize);
            int64_t x_offset = first_x + column;
#pragma unroll
            for (int r = 0; r < kRows; ++r, x_offset += x_stride) {
                if (!holds(r, p)) continue;
                const int pack = r * kPacks + p;
                source.read(x_offset, first + r * row_stride + column, line, x[pack], deviation[pack]);
                load(k.dy + first + r * row_stride + column, d[pack]);
            }
        }

        float row_sums[kRows];
        sum_squares<kRows, kPacks>(x, row_sums);
        const bool is_short = __all_sync(kAllLanes, all_at_most(row_sums, k.gate.most_square));
        const RowScale scale = row_scale<kRows, kPacks>(k.scale, team, x, inside, team.sum(row_sums));
        float a[kAll], through_scale[kAll];  // of the pack's row; sum of dA x g = dL/da over the pack
#pragma unroll
        for (int pack = 0; pack < kAll; ++pack) {
            a[pack] = team.of_row(scale.a, pack / kPacks);
            through_scale[pack] = 0;
        }

        // dy becomes dA a (g + x dg/dx), the part of dx that does not go through the statistic.
        float dlambda_of_tile = 0;
        const auto do_pack = [&](int pack, const auto& gate) {
            float dy_x_g = 0;
#pragma unroll
            for (int i = 0; i < kSize; ++i) {
                const GateSlope g = gate(x[pack][i]);
                const float x_g = x[pack][i] * g.value;
                dy_x_g = fmaf(d[pack][i], x_g, dy_x_g);
                const float d_activation = fmaf(d[pack][i], lambda, w2.of(x_g, a[pack]));
                d[pack][i] = d_activation * a[pack] * (g.value + g.of_x);
                through_scale[pack] = fmaf(d_activation, x_g, through_scale[pack]);
            }
            dlambda_of_tile = fmaf(dy_x_g, a[pack], dlambda_of_tile);
        };
        const auto do_all = [&](const auto& gate) {
#pragma unroll
            for (int pack = 0; pack < kAll; ++pack) do_pack(pack, gate);
        };
        if (!is_short) {
#pragma unroll 1
            for (int turn = 0; turn < kAll; ++turn) {
                do_pack(0, [&](float value) { return k.gate.value_and_slope(value); });
                rotate(x);
                rotate(d);
                rotate(a);
                rotate(through_scale);
            }
        } else if (k.gate.small) {
            do_all([&](float value) { return k.gate.template short_slope<true>(value); });
        } else {
            do_all([&](float value) { return k.gate.template short_slope<false>(value); });
        }
        dlambda[threadIdx.x] += static_cast<double>(dlambda_of_tile);

#pragma unroll
        for (int r = 0; r < kRows; ++r) {
            row_sums[r] = 0;
#pragma unroll
            for (int p = 0; p < kPacks; ++p) row_sums[r] += through_scale[r * kPacks + p];
        }
        const float slope = team.sum(row_sums) * scale.inverse * scale.pull * scale.inverse;
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
            const float of_statistic = team.of_row(slope, r);
            if (is_std) {
                const float center = team.of_row(scale.center, r), center_low = team.of_row(scale.center_low, r);
#pragma unroll
                for (int p = 0; p < kPacks; ++p) {
#pragma unroll
                    for (int i = 0; i < kSize; ++i) {
                        x[r * kPacks + p][i] = (x[r * kPacks + p][i] - center) - center_low;
                    }
                }
            }
#pragma unroll
            for (int p = 0; p < kPacks; ++p) {
                const int pack = r * kPacks + p;
                if (!holds(r, p)) continue;
#pragma unroll
                for (int i = 0; i < kSize; ++i) {
                    d[pack][i] = fmaf(x[pack][i], of_statistic, d[pack][i]);
                    if constexpr (Source::kNormalized) {
                        sums[p][i] += d[pack][i];
                        sums[kPacks + p][i] = fmaf(d[pack][i], deviation[pack][i], sums[kPacks + p][i]);
                        sums[2 * kPacks + p][i] += deviation[pack][i];
                    }
                }
                store(d[pack], k.dx + first + r * row_stride + p * team.size * kSize);
            }
        }
    }

    const double dlambda_of_block = block_total(dlambda[threadIdx.x]);
    if (threadIdx.x == 0) k.dlambda[blockIdx.x] = dlambda_of_block;
    if constexpr (Source::kNormalized) {
        float* const to = k.channel_sums + int64_t{blockIdx.x} * 3 * k.shape.channels;
        if constexpr (kIsBlock) {
            // Every column has one thread.
#pragma unroll
            for (int p = 0; p < kPacks; ++p) {
                if (!inside[p]) continue;
#pragma unroll
                for (int kind = 0; kind < 3; ++kind) {
#pragma unroll
                    for (int i = 0; i < kSize; ++i) {
                        to[kind * k.shape.channels + (p * team.size + team.place) * kSize + i] =
                            sums[kind * kPacks + p][i];
                    }
                }
            }
        } else {
            constexpr int kWarps = kRowThreads / kWarp;
            __shared__ float of_warps[kWarps][3][kWarp * kSize];
#pragma unroll
            for (int kind = 0; kind < 3; ++kind) {
#pragma unroll
                for (int i = 0; i < kSize; ++i) {
                    float sum = sums[kind][i];
                    for (int offset = team.size; offset < kWarp; offset *= 2) {
                        sum += __shfl_xor_sync(kAllLanes, sum, offset);
                    }
                    if (team.group == 0) of_warps[threadIdx.x / kWarp][kind][team.place * kSize + i] = sum;
                }
            }
            __syncthreads();
            const int channels = static_cast<int>(k.shape.channels);
            for (int i = static_cast<int>(threadIdx.x); i < 3 * channels; i += kRowThreads) {
                float sum = 0;
                for (int warp = 0; warp < kWarps; ++warp) sum += of_warps[warp][i / channels][i % channels];
                to[i] = sum;
            }
        }
    }
}

/// The same for any number of channels and any alignment: x is read three times and dy twice, after the first time from
/// the cache.
template <class T, bool kIsBlock, class Source>
__global__ void __launch_bounds__(kRowThreads, 1) velu_backward_any(BackwardArguments<T> k, Source source) {
    Team<kIsBlock> team(k.shape);
    const float lambda = k.lambda == nullptr ? 1.0f : *k.lambda;
    if (done_in_float64<1>(team, k, source, lambda)) return;
    const W2Terms w2(k);
    const int64_t channels = k.shape.channels;
    const bool is_std = k.scale.params.statistic == VELU_STATISTIC_STD;
    double dlambda = 0;
    for (; team.tile * team.groups < k.shape.rows; team.tile += team.step) {
        const int64_t row = team.template row<1>(team.tile, 0);
        const int64_t start = row * channels, end = row < k.shape.rows ? channels : 0;
        const int64_t start_x = row * source.pitch(channels);
        const double shift = is_std && end > 0 ? static_cast<double>(source.element(start_x, start, 0)) : 0.0;
        double deviations[1] = {0}, squares[1] = {0}, through_scale[1] = {0};
        for (int64_t c = team.place; c < end; c += team.size) {
            const double deviation = static_cast<double>(source.element(start_x + c, start + c, c)) - shift;
            deviations[0] += deviation;
            squares[0] = fma(deviation, deviation, squares[0]);
        }
        const double deviation_sum = team.sum(deviations);
        const RowScale scale = k.scale.in_float64(shift, deviation_sum, team.sum(squares));
        for (int64_t c = team.place; c < end; c += team.size) {
            const float z = source.element(start_x + c, start + c, c);
            const float upstream = to_float(k.dy[start + c]);
            const float x_g = z * k.gate.value(z);
            const float d_activation = fmaf(upstream, lambda, w2.of(x_g, scale.a));
            through_scale[0] += static_cast<double>(d_activation * x_g);
            dlambda += static_cast<double>(upstream * (x_g * scale.a));
        }
        const auto of_scale = static_cast<float>(team.sum(through_scale));
        const float slope = of_scale * scale.inverse * scale.pull * scale.inverse;
        for (int64_t c = team.place; c < end; c += team.size) {
            const float z = source.element(start_x + c, start + c, c);
            const float upstream = to_float(k.dy[start + c]);
            const GateSlope g = k.gate.value_and_slope(z);
            const float d_activation = fmaf(upstream, lambda, w2.of(z * g.value, scale.a));
            const float from_center = (z - scale.center) - scale.center_low;
            k.dx[start + c] = from_float<T>(fmaf(from_center, slope, d_activation * scale.a * (g.value + g.of_x)));
        }
    }
    dlambda = block_total(dlambda);
    if (threadIdx.x == 0) k.dlambda[blockIdx.x] = dlambda;
}

// --- Launches --------------------------------------------------------------------------------------------------------

/// Runs forward over a plan's rows; plan.blocks parts of moments.
template <class T, class Source>
void launch_velu_forward(Context& context, const RowPlan& plan, const ForwardArguments<T>& arguments,
                         const Source& source) {
    void (*kernel)(ForwardArguments<T>, Source) = nullptr;
    switch (plan.kernel) {
        case RowKernel::kInWarp:
            kernel = velu_forward_rows<T, 1, false, Source>;
            break;
        case RowKernel::kInBlock:
            kernel = velu_forward_rows<T, 1, true, Source>;
            break;
        case RowKernel::kInLongBlock:
            kernel = velu_forward_rows<T, 2, true, Source>;
            break;
        case RowKernel::kAnyInWarp:
            kernel = velu_forward_any<T, false, Source>;
            break;
        case RowKernel::kAnyInBlock:
            kernel = velu_forward_any<T, true, Source>;
            break;
    }
    launch(context, kernel, plan.blocks, plan.threads, arguments, source);
}

/// Runs backward over a plan's rows; plan.blocks parts of dlambda.
template <class T, class Source>
void launch_velu_backward(Context& context, const RowPlan& plan, const BackwardArguments<T>& arguments,
                          const Source& source) {
    void (*kernel)(BackwardArguments<T>, Source) = nullptr;
    switch (plan.kernel) {
        case RowKernel::kInWarp:
            kernel = velu_backward_rows<T, 1, false, Source>;
            break;
        case RowKernel::kInBlock:
            kernel = velu_backward_rows<T, 1, true, Source>;
            break;
        case RowKernel::kInLongBlock:
            kernel = velu_backward_rows<T, 2, true, Source>;
            break;
        case RowKernel::kAnyInWarp:
            kernel = velu_backward_any<T, false, Source>;
            break;
        case RowKernel::kAnyInBlock:
            kernel = velu_backward_any<T, true, Source>;
            break;
    }
    launch(context, kernel, plan.blocks, plan.threads, arguments, source);
}

}  // namespace velu::cuda
