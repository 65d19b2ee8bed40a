// Batch normalization with the residual sum and the activation that follow it.
//
// Training forward: a pass for the statistics, a small kernel per channel, and a pass that applies. Backward: a pass
// that recomputes the activation's input z, stores dz and sums it, a small kernel per channel, and a pass from dz to
// dx. With VeLU the apply pass and the first backward pass are those of velu_rows.cuh, with the row statistic of z
// inside; all others run down the columns: a thread keeps one pack of channels and strides over rows, so what belongs
// to a channel is in registers.
//
// x, and in backward dx and what is added to it, may have rows that lie pitch elements apart: channels of a wider
// tensor. dz is dense. It is kept in dx where dx is dense too and not the addend, in dresidual, or in scratch; ReLU and
// ReLU6, whose slope costs nothing, recompute it in the second pass instead, and so do the other pointwise activations
// that have nowhere else to keep it.
//
// Bytes per element of sizeof(T) = 1: 1 + 2 forward (3 with a residual), 3 + 3 backward (4 + 3 with a residual, 2 + 3
// where dz is recomputed, one more with an addend). All passes are limited by memory but those of SiLU, GELU and VeLU
// in bfloat16, which are limited by instructions at roughly the same time.
#include <type_traits>

#include "cuda/channel_lanes.cuh"
#include "cuda/operations.h"
#include "cuda/pointwise.cuh"
#include "cuda/velu_rows.cuh"

namespace velu::cuda {

namespace {

// --- Columns ---------------------------------------------------------------------------------------------------------

constexpr int kThreads = ChannelLanes::kThreads;

/// Threads per multiprocessor of kernels that hold sums for 8 channels, of up to 128 registers; and of the others.
constexpr int kSumsResident = 512;
constexpr int kApplyResident = 768;

/// Rows that a thread of `width` channels has in flight: at most 16 elements.
constexpr int rows_in_flight(int width) {
    return width < 4 ? 4 : 16 / width;
}
template <int N>
constexpr int kRowsInFlight = rows_in_flight(N);

struct ColumnShape {
    int64_t rows;
    int64_t channels;
    ChannelLanes lanes;
    int32_t parts;  // blocks above each other: parts of the rows
};

/// width: channels of a thread.
ColumnShape column_shape(const Context& context, int64_t rows, int64_t channels, int width, int resident) {
    ColumnShape shape{rows, channels, channel_lanes(channels, width), 1};
    const int64_t at_once = int64_t{shape.lanes.strips} * rows_in_flight(width);
    const int64_t needed = (rows + at_once - 1) / at_once;
    const int64_t most = int64_t{context.multiprocessors} * (resident / kThreads) / shape.lanes.chunks;
    shape.parts = static_cast<int32_t>(std::clamp<int64_t>(most, 1, needed));
    return shape;
}

unsigned blocks_of(const ColumnShape& shape) {
    return static_cast<unsigned>(shape.lanes.chunks) * static_cast<unsigned>(shape.parts);
}

/// A thread's channels and rows. With 256 / lanes not whole, or in the last chunk, some threads have none.
template <int N>
struct Column {
    bool inside;
    int32_t part;
    int64_t channel;    // the first of N
    int64_t row, step;  // the first row, and to the next

    __device__ __forceinline__ explicit Column(const ColumnShape& shape) {
        const int lane = static_cast<int>(threadIdx.x) % shape.lanes.lanes;
        const int strip = static_cast<int>(threadIdx.x) / shape.lanes.lanes;
        const int chunk = static_cast<int>(blockIdx.x) % shape.lanes.chunks;
        part = static_cast<int32_t>(blockIdx.x) / shape.lanes.chunks;
        const int64_t vector = int64_t{chunk} * shape.lanes.lanes + lane;
        channel = vector * N;
        inside = strip < shape.lanes.strips && vector < shape.lanes.vectors;
        row = int64_t{part} * shape.lanes.strips + strip;
        step = int64_t{shape.parts} * shape.lanes.strips;
    }
};

/// Adds up a block's sums over its strips, in order, and stores them: to[part][kind][channels]. Called by all threads.
template <int kKinds, int N, class Number>
__device__ __forceinline__ void leave_sums(const ColumnShape& shape, const Column<N>& at,
                                           const Number (&sums)[kKinds][N], Number* to) {
    __shared__ Number of_threads[kThreads][N];
#pragma unroll
    for (int kind = 0; kind < kKinds; ++kind) {
        __syncthreads();
#pragma unroll
        for (int i = 0; i < N; ++i) of_threads[threadIdx.x][i] = at.inside ? sums[kind][i] : Number(0);
        __syncthreads();
        if (static_cast<int>(threadIdx.x) >= shape.lanes.lanes || !at.inside) continue;
        Number* const of_kind = to + (int64_t{at.part} * kKinds + kind) * shape.channels + at.channel;
#pragma unroll
        for (int i = 0; i < N; ++i) {
            Number sum = 0;
            for (int strip = 0; strip < shape.lanes.strips; ++strip) {
                sum += of_threads[strip * shape.lanes.lanes + static_cast<int>(threadIdx.x)][i];
            }
            of_kind[i] = sum;
        }
    }
}

/// finish(channel, sums of each kind) for every channel, by one thread, with all parts of sums[parts][kKinds][channels]
/// added in float64 in a fixed order: a block does 32 channels, of which each of its warps adds every eighth part.
/// Blocks past those do nothing. Called by all threads of kThreads.
constexpr int kJoinedChannels = kWarp;

template <int kKinds, class Number, class Finish>
__device__ __forceinline__ void join_sums(const Number* sums, int32_t parts, int64_t channels, const Finish& finish) {
    constexpr int kWarps = kThreads / kWarp;
    __shared__ double of_warps[kWarps][kKinds][kWarp];
    const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
    const int64_t channel = int64_t{blockIdx.x} * kJoinedChannels + lane;
    double sum[kKinds] = {};
    if (channel < channels) {
        for (int part = warp; part < parts; part += kWarps) {
#pragma unroll
            for (int kind = 0; kind < kKinds; ++kind) {
                sum[kind] += static_cast<double>(sums[(int64_t{part} * kKinds + kind) * channels + channel]);
            }
        }
    }
#pragma unroll
    for (int kind = 0; kind < kKinds; ++kind) of_warps[warp][kind][lane] = sum[kind];
    __syncthreads();
    if (warp > 0 || channel >= channels) return;
#pragma unroll
    for (int kind = 0; kind < kKinds; ++kind) {
        for (int other = 1; other < kWarps; ++other) sum[kind] += of_warps[other][kind][lane];
    }
    finish(channel, sum);
}

unsigned joining_blocks(int64_t channels) {
    return static_cast<unsigned>((channels + kJoinedChannels - 1) / kJoinedChannels);
}

// --- Statistics ------------------------------------------------------------------------------------------------------

/// Sums over rows of x - x[0] and its square, [parts][2][channels], in float64. Reads sizeof(T) per element. Up to 32
/// rows are added in float32 as deviations from the first of them, whose squares' sum is at most 33 times what it is
/// about the mean, and then shifted to row 0's in float64: about 6 instructions per element (BFloat16 7), of 27 (13)
/// that memory leaves time for.
template <class T, int N>
__global__ void __launch_bounds__(kSumsResident, 1)
    batch_norm_statistics(ColumnShape shape, const T* x, int64_t x_pitch, double* sums) {
    constexpr int kBatches = 32 / kRowsInFlight<N>;
    const Column<N> at(shape);
    double total[2][N] = {};
    if (at.inside) {
        float first[N];
        load(x + at.channel, first);
        for (int64_t row = at.row; row < shape.rows; row += at.step * (kRowsInFlight<N> * kBatches)) {
            float shift[N], deviations[N], squares[N];
            load(x + row * x_pitch + at.channel, shift);
#pragma unroll
            for (int i = 0; i < N; ++i) deviations[i] = squares[i] = 0;
            int count = 0;
            for (int batch = 0; batch < kBatches; ++batch) {
                const int64_t start = row + batch * kRowsInFlight<N> * at.step;
                if (start >= shape.rows) break;
                float value[kRowsInFlight<N>][N];
#pragma unroll
                for (int r = 0; r < kRowsInFlight<N>; ++r) {
                    const int64_t of = start + r * at.step;
                    if (of < shape.rows) load(x + of * x_pitch + at.channel, value[r]);
                }
#pragma unroll
                for (int r = 0; r < kRowsInFlight<N>; ++r) {
                    if (start + r * at.step >= shape.rows) continue;
                    ++count;
#pragma unroll
                    for (int i = 0; i < N; ++i) {
                        const float deviation = value[r][i] - shift[i];
                        deviations[i] += deviation;
                        squares[i] = fmaf(deviation, deviation, squares[i]);
                    }
                }
            }
            const auto n = static_cast<double>(count);
#pragma unroll
            for (int i = 0; i < N; ++i) {
                const double offset = static_cast<double>(shift[i]) - static_cast<double>(first[i]);
                const auto deviation = static_cast<double>(deviations[i]);
                total[1][i] += static_cast<double>(squares[i]) + offset * (2.0 * deviation + n * offset);
                total[0][i] += deviation + n * offset;
            }
        }
    }
    leave_sums<2, N>(shape, at, total, sums);
}

struct RunningStatistics {
    float* mean;       // or NULL
    float* var;        // or NULL
    int64_t* batches;  // or NULL
    double momentum;
};

/// The channel line in scratch, as it is written.
struct WritableLine {
    float* mean;
    float* scale;
    float* bias;
};

/// From the sums to mean and 1 / std, the running statistics and the line that the apply pass reads. A thread per
/// channel.
template <class T>
__global__ void __launch_bounds__(kThreads)
    finish_statistics(const double* sums, int32_t parts, int64_t rows, int64_t channels, double eps, const T* x,
                      const float* weight, const float* bias, RunningStatistics running, float* saved_mean,
                      float* saved_inv_std, WritableLine line) {
    if (blockIdx.x == 0 && threadIdx.x == 0 && running.batches != nullptr) ++*running.batches;
    const auto n = static_cast<double>(rows);
    join_sums<2>(sums, parts, channels, [&](int64_t c, const double* sum) {
        // As shift is an element, (mean - shift)^2 <= rows * variance: float64 has the digits for the difference.
        const double offset = sum[0] / n;
        const double mean = static_cast<double>(to_float(x[c])) + offset;
        double m2 = sum[1] - offset * sum[0];
        if (m2 < 0) m2 = 0;
        const double inv_std = 1.0 / math::square_root(m2 / n + eps);
        const auto mean_high = static_cast<float>(mean);
        const double scale = static_cast<double>(weight[c]) * inv_std;
        saved_mean[c] = mean_high;
        saved_inv_std[c] = static_cast<float>(inv_std);
        line.mean[c] = mean_high;
        line.scale[c] = static_cast<float>(scale);
        // What float32 loses of the mean goes into the bias.
        line.bias[c] =
            static_cast<float>(static_cast<double>(bias[c]) - scale * (mean - static_cast<double>(mean_high)));
        if (running.mean != nullptr) {
            running.mean[c] = static_cast<float>((1.0 - running.momentum) * static_cast<double>(running.mean[c]) +
                                                 running.momentum * mean);
        }
        if (running.var != nullptr) {
            running.var[c] = static_cast<float>((1.0 - running.momentum) * static_cast<double>(running.var[c]) +
                                                running.momentum * m2 / (n - 1.0));
        }
    });
}

/// The line for given statistics: variance and eps in inference, 1 / std in backward.
__global__ void __launch_bounds__(kThreads)
    copy_line(int64_t channels, const float* mean, const float* variance, double eps, const float* inv_std,
              const float* weight, const float* bias, WritableLine line) {
    for (int64_t c = thread_index(); c < channels; c += thread_count()) {
        line.mean[c] = mean[c];
        line.scale[c] = inv_std != nullptr
                            ? weight[c] * inv_std[c]
                            : static_cast<float>(static_cast<double>(weight[c]) /
                                                 math::square_root(static_cast<double>(variance[c]) + eps));
        line.bias[c] = bias[c];
    }
}

// --- Apply -----------------------------------------------------------------------------------------------------------

/// y = f(z): sizeof(T) read (twice that with a residual) and written per element; 4 instructions and those of f.
template <class T, int N, class Activation>
__global__ void __launch_bounds__(kApplyResident, 1)
    batch_norm_apply(ColumnShape shape, NormalizedSource<T> source, T* y) {
    const Column<N> at(shape);
    if (!at.inside) return;
    const auto line = source.template channels<N>(at.channel);
    for (int64_t row = at.row; row < shape.rows; row += at.step * kRowsInFlight<N>) {
        float z[kRowsInFlight<N>][N];
#pragma unroll
        for (int r = 0; r < kRowsInFlight<N>; ++r) {
            const int64_t of = row + r * at.step;
            if (of >= shape.rows) continue;
            source.read(of * source.x_pitch + at.channel, of * shape.channels + at.channel, line, z[r], nullptr);
        }
#pragma unroll
        for (int r = 0; r < kRowsInFlight<N>; ++r) {
            const int64_t of = row + r * at.step;
            if (of >= shape.rows) continue;
#pragma unroll
            for (int i = 0; i < N; ++i) z[r][i] = Activation::value(z[r][i]);
            store(z[r], y + of * shape.channels + at.channel);
        }
    }
}

// --- Backward --------------------------------------------------------------------------------------------------------

/// dz = dy f'(z), stored unless dz is NULL, and its sums over rows: of dz, of dz (x - mean) and of x - mean,
/// [parts][3][channels]. Reads 2 sizeof(T) per element (3 with a residual) and writes one; 9 instructions and those of
/// f'.
template <class T, int N, class Activation>
__global__ void __launch_bounds__(kSumsResident, 1)
    batch_norm_gradient_sums(ColumnShape shape, NormalizedSource<T> source, const T* dy, T* dz, float* sums) {
    const Column<N> at(shape);
    float total[3][N] = {};
    if (at.inside) {
        const auto line = source.template channels<N>(at.channel);
        for (int64_t row = at.row; row < shape.rows; row += at.step * kRowsInFlight<N>) {
            float z[kRowsInFlight<N>][N], deviation[kRowsInFlight<N>][N], gradient[kRowsInFlight<N>][N];
#pragma unroll
            for (int r = 0; r < kRowsInFlight<N>; ++r) {
                const int64_t of = row + r * at.step;
                if (of < shape.rows) {
                    source.read(of * source.x_pitch + at.channel, of * shape.channels + at.channel, line, z[r],
                                deviation[r]);
                    load(dy + of * shape.channels + at.channel, gradient[r]);
                } else {
#pragma unroll
                    for (int i = 0; i < N; ++i) z[r][i] = deviation[r][i] = gradient[r][i] = 0;
                }
            }
            float of_batch[3][N] = {};
#pragma unroll
            for (int r = 0; r < kRowsInFlight<N>; ++r) {
                const int64_t of = row + r * at.step;
#pragma unroll
                for (int i = 0; i < N; ++i) {
                    gradient[r][i] *= Activation::slope(z[r][i]);
                    of_batch[0][i] += gradient[r][i];
                    of_batch[1][i] = fmaf(gradient[r][i], deviation[r][i], of_batch[1][i]);
                    of_batch[2][i] += deviation[r][i];
                }
                if (dz != nullptr && of < shape.rows) store(gradient[r], dz + of * shape.channels + at.channel);
            }
#pragma unroll
            for (int kind = 0; kind < 3; ++kind) {
#pragma unroll
                for (int i = 0; i < N; ++i) total[kind][i] += of_batch[kind][i];
            }
        }
    }
    leave_sums<3, N>(shape, at, total, sums);
}

/// What the second backward pass reads per channel: dx = scale (dz + offset - (x - mean) slope). bias is that of z.
struct GradientLine {
    const float* mean;
    const float* scale;
    const float* bias;
    const float* offset;
    const float* slope;
};

/// dweight, dbias and the second pass's line from the sums; dlambda from its parts, by one more block.
__global__ void __launch_bounds__(kThreads)
    finish_gradient(const float* sums, int32_t parts, int64_t rows, int64_t channels, const float* saved_inv_std,
                    float* offset, float* slope, float* dweight, float* dbias, const double* dlambda_parts,
                    int32_t dlambda_count, float* dlambda) {
    if (dlambda != nullptr && blockIdx.x + 1 == gridDim.x) {
        double sum = 0;
        for (int i = static_cast<int>(threadIdx.x); i < dlambda_count; i += kThreads) sum += dlambda_parts[i];
        sum = block_total(sum);
        if (threadIdx.x == 0) *dlambda = static_cast<float>(sum);
        return;
    }
    const auto n = static_cast<double>(rows);
    join_sums<3>(sums, parts, channels, [&](int64_t c, const double* sum) {
        const auto inv_std = static_cast<double>(saved_inv_std[c]);
        // What float32 lost of the mean, visible where the mean is much larger than the deviations.
        const double mean_low = sum[2] / n;
        const double product = sum[1] - mean_low * sum[0];
        const double of_deviation = product * inv_std * inv_std / n;
        dbias[c] = static_cast<float>(sum[0]);
        dweight[c] = static_cast<float>(product * inv_std);
        offset[c] = static_cast<float>(mean_low * of_deviation - sum[0] / n);
        slope[c] = static_cast<float>(of_deviation);
    });
}

/// The tensors of the second backward pass. dx may be dz or, with the same pitch, the addend.
template <class T>
struct InputGradient {
    const T* x;
    int64_t x_pitch;
    const T* dz;      // or dy, of which the activation's slope makes dz
    const T* addend;  // or NULL
    int64_t addend_pitch;
    T* dx;
    int64_t dx_pitch;
};

/// What the recomputation and the addend take of registers is worth more than threads.
template <class Activation, bool kAdds>
inline constexpr int kInputGradientResident =
    kAdds || !std::is_same_v<Activation, Identity> ? kSumsResident : kApplyResident;

/// dx from x and dz: 2 sizeof(T) read (3 with an addend) and one written per element, 4 instructions, and 1 and those
/// of f' where dz is dy f'(z).
template <class T, int N, class Activation, bool kAdds>
__global__ void __launch_bounds__(kInputGradientResident<Activation, kAdds>, 1)
    batch_norm_input_gradient(ColumnShape shape, InputGradient<T> of, GradientLine line) {
    const Column<N> at(shape);
    if (!at.inside) return;
    constexpr bool kRecomputes = !std::is_same_v<Activation, Identity>;
    float mean[N], scale[N], offset[N], slope[N], bias[N];
    load(line.mean + at.channel, mean);
    load(line.scale + at.channel, scale);
    load(line.offset + at.channel, offset);
    load(line.slope + at.channel, slope);
    if constexpr (kRecomputes) load(line.bias + at.channel, bias);
    for (int64_t row = at.row; row < shape.rows; row += at.step * kRowsInFlight<N>) {
        float value[kRowsInFlight<N>][N], gradient[kRowsInFlight<N>][N], addend[kRowsInFlight<N>][N];
#pragma unroll
        for (int r = 0; r < kRowsInFlight<N>; ++r) {
            const int64_t read = row + r * at.step;
            if (read >= shape.rows) continue;
            load(of.x + read * of.x_pitch + at.channel, value[r]);
            load(of.dz + read * shape.channels + at.channel, gradient[r]);
            if constexpr (kAdds) load(of.addend + read * of.addend_pitch + at.channel, addend[r]);
        }
#pragma unroll
        for (int r = 0; r < kRowsInFlight<N>; ++r) {
            const int64_t written = row + r * at.step;
            if (written >= shape.rows) continue;
#pragma unroll
            for (int i = 0; i < N; ++i) {
                const float deviation = value[r][i] - mean[i];
                if constexpr (kRecomputes) {
                    gradient[r][i] *= Activation::slope(fmaf(deviation, scale[i], bias[i]));
                }
                const float rest = fmaf(-deviation, slope[i], gradient[r][i] + offset[i]);
                gradient[r][i] = rest * scale[i];
                if constexpr (kAdds) gradient[r][i] += addend[r][i];
            }
            store(gradient[r], of.dx + written * of.dx_pitch + at.channel);
        }
    }
}

// --- Host ------------------------------------------------------------------------------------------------------------

/// Cuts one piece of scratch into arrays aligned to 256 bytes. First every array is asked for with nothing reserved, to
/// learn the size; then again for real.
class Layout {
public:
    template <class T>
    T* array(int64_t count) {
        const size_t start = used_;
        used_ += (static_cast<size_t>(count) * sizeof(T) + 255) / 256 * 256;
        return base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + start);
    }
    WritableLine line(int64_t channels) {
        WritableLine line{};
        line.mean = array<float>(channels);
        line.scale = array<float>(channels);
        line.bias = array<float>(channels);
        return line;
    }
    void reserve(Context& context) {
        base_ = context.scratch<unsigned char>(used_);
        used_ = 0;
    }

private:
    unsigned char* base_ = nullptr;
    size_t used_ = 0;
};

/// Lays out a scratch struct, whose place(Layout&) asks for its arrays.
template <class Scratch>
void reserve(Context& context, Scratch& scratch) {
    Layout layout;
    scratch.place(layout);
    layout.reserve(context);
    scratch.place(layout);
}

ChannelLine readable(const WritableLine& line) {
    return {line.mean, line.scale, line.bias};
}

/// Calls body(Activation{}) with the functions of a VELU_ACTIVATION other than VELU and SIGMOID.
template <class Body>
void with_pointwise(int32_t activation, const Body& body) {
    if (activation == VELU_ACTIVATION_IDENTITY) return body(Identity{});
    with_layer_activation(activation, body);
}

/// Calls body(std::integral_constant with the channels of a thread).
template <class T, class Body>
void with_width(bool packed, const Body& body) {
    if (packed) {
        body(std::integral_constant<int, kPackSize<T>>{});
    } else {
        body(std::integral_constant<int, 1>{});
    }
}

/// Whether channels and the pitches (a power of two divides both numbers if it divides a | b) fit whole packs, and all
/// pointers are aligned to them.
template <class T, class... Pointers>
bool is_packed(int64_t channels, int64_t pitches, Pointers... pointers) {
    return (channels | pitches) % kPackSize<T> == 0 && aligned_to_16(pointers...);
}

int64_t pitch_of(int64_t pitch, const velu_batch_norm_desc& desc) {
    return pitch == 0 ? desc.channels : pitch;
}

template <class T>
RowPlan forward_plan(const Context& context, const velu_batch_norm_desc& desc, bool packed) {
    return plan_rows<T>(context, desc.rows, desc.channels, packed, kForwardElements<NormalizedSource<T>>,
                        kForwardResident);
}

template <class T>
void apply(Context& context, const velu_batch_norm_desc& desc, bool packed, const NormalizedSource<T>& source,
           const float* lambda, T* y, math::Moments* parts, float* moments) {
    if (desc.activation == VELU_ACTIVATION_VELU) {
        const RowPlan plan = forward_plan<T>(context, desc, packed);
        launch_velu_forward(
            context, plan,
            ForwardArguments<T>{plan.shape, RowScaleConstants(desc.params, desc.channels), VeluGate<T>(desc.params),
                                lambda, y, moments == nullptr ? nullptr : parts},
            source);
        if (moments != nullptr) {
            launch(context, finish_moments, 1, kThreads, parts, static_cast<int>(plan.blocks), moments);
        }
        return;
    }
    with_width<T>(packed, [&](auto width) {
        constexpr int kWidth = decltype(width)::value;
        const ColumnShape shape = column_shape(context, desc.rows, desc.channels, kWidth, kApplyResident);
        with_pointwise(desc.activation, [&](auto activation) {
            launch(context, batch_norm_apply<T, kWidth, decltype(activation)>, blocks_of(shape), kThreads, shape,
                   source, y);
        });
    });
}

/// Moments are those of VeLU's A; no other activation has them.
float* wanted_moments(const velu_batch_norm_desc& desc, float* moments) {
    return desc.activation == VELU_ACTIVATION_VELU ? moments : nullptr;
}

struct ForwardScratch {
    int64_t channels, parts, moment_parts;
    WritableLine line;
    double* sums;
    math::Moments* moments;

    void place(Layout& layout) {
        line = layout.line(channels);
        sums = layout.array<double>(parts * 2 * channels);
        moments = layout.array<math::Moments>(moment_parts);
    }
};

template <class T>
ForwardScratch forward_scratch(Context& context, const velu_batch_norm_desc& desc, bool packed, int64_t parts,
                               const float* moments) {
    ForwardScratch scratch{};
    scratch.channels = desc.channels;
    scratch.parts = parts;
    if (moments != nullptr) scratch.moment_parts = forward_plan<T>(context, desc, packed).blocks;
    reserve(context, scratch);
    return scratch;
}

template <class T>
struct BackwardScratch {
    int64_t channels, parts, dlambda_parts, dz_elements;
    WritableLine line;
    float* offset;
    float* slope;
    float* sums;
    double* dlambda;
    T* dz;

    void place(Layout& layout) {
        line = layout.line(channels);
        offset = layout.array<float>(channels);
        slope = layout.array<float>(channels);
        sums = layout.array<float>(parts * 3 * channels);
        dlambda = layout.array<double>(dlambda_parts);
        dz = layout.array<T>(dz_elements);
    }
};

/// Whether a pointwise f' is so cheap that computing it twice is better than storing dz.
bool has_cheap_slope(int32_t activation) {
    return activation == VELU_ACTIVATION_IDENTITY || activation == VELU_ACTIVATION_RELU ||
           activation == VELU_ACTIVATION_RELU6;
}

template <class T>
void backward(Context& context, const velu_batch_norm_desc& desc, const T* x, const T* dy, const float* weight,
              const float* bias, const T* residual, const float* lambda, const float* saved_mean,
              const float* saved_inv_std, const float* moments, const T* dx_addend, T* dx, T* dresidual, float* dweight,
              float* dbias, float* dlambda) {
    using Source = NormalizedSource<T>;
    const int64_t channels = desc.channels;
    const int64_t x_pitch = pitch_of(desc.x_pitch, desc);
    const int64_t dx_pitch = pitch_of(desc.dx_pitch, desc);
    const int64_t addend_pitch = dx_addend == nullptr ? channels : pitch_of(desc.dx_addend_pitch, desc);
    const bool is_velu = desc.activation == VELU_ACTIVATION_VELU;
    const bool packed =
        is_packed<T>(channels, x_pitch | dx_pitch | addend_pitch, x, dy, residual, dx_addend, dx, dresidual);
    // The residual's gradient is dz itself; an identity's dz is dy, which need not be copied.
    const bool dx_holds_dz = dx_pitch == channels && dx != dx_addend;
    const bool recomputes = !is_velu && residual == nullptr && (has_cheap_slope(desc.activation) || !dx_holds_dz);
    const bool keeps_dy = recomputes || (desc.activation == VELU_ACTIVATION_IDENTITY && dresidual == dy);

    const RowPlan plan =
        plan_rows<T>(context, desc.rows, channels, packed, kBackwardElements, kBackwardResident<Source>);
    const bool sums_in_rows = is_velu && plan.kernel != RowKernel::kAnyInWarp && plan.kernel != RowKernel::kAnyInBlock;
    const ColumnShape summed = column_shape(context, desc.rows, channels, packed ? kPackSize<T> : 1, kSumsResident);

    BackwardScratch<T> scratch{};
    scratch.channels = channels;
    scratch.parts = sums_in_rows ? plan.blocks : summed.parts;
    scratch.dlambda_parts = is_velu ? plan.blocks : 0;
    scratch.dz_elements = is_velu && residual == nullptr && !dx_holds_dz ? desc.rows * channels : 0;
    reserve(context, scratch);
    T* const dz = residual != nullptr ? dresidual : scratch.dz_elements > 0 ? scratch.dz : dx;
    const T* const dz_read = keeps_dy ? dy : dz;
    launch(context, copy_line, grid_for(context, channels, kThreads), kThreads, channels, saved_mean, nullptr, 0.0,
           saved_inv_std, weight, bias, scratch.line);
    const Source source{x, x_pitch, residual, readable(scratch.line)};

    if (is_velu) {
        launch_velu_backward(
            context, plan,
            BackwardArguments<T>{plan.shape, RowScaleConstants(desc.params, channels), VeluGate<T>(desc.params), dy,
                                 lambda, desc.w2_weight, moments, nullptr, 0, dz, scratch.dlambda, scratch.sums},
            source);
    }
    if (!sums_in_rows) {
        with_width<T>(packed, [&](auto width) {
            constexpr int kWidth = decltype(width)::value;
            const auto sum = [&](auto activation, const T* gradient, T* to) {
                launch(context, batch_norm_gradient_sums<T, kWidth, decltype(activation)>, blocks_of(summed), kThreads,
                       summed, source, gradient, to, scratch.sums);
            };
            if (is_velu) {
                sum(Identity{}, dz, nullptr);
            } else {
                with_pointwise(desc.activation, [&](auto activation) { sum(activation, dy, keeps_dy ? nullptr : dz); });
            }
        });
    }

    launch(context, finish_gradient, joining_blocks(channels) + (is_velu && dlambda != nullptr ? 1u : 0u), kThreads,
           scratch.sums, static_cast<int32_t>(scratch.parts), desc.rows, channels, saved_inv_std, scratch.offset,
           scratch.slope, dweight, dbias, scratch.dlambda, static_cast<int32_t>(scratch.dlambda_parts),
           is_velu ? dlambda : nullptr);
    const InputGradient<T> tensors{x, x_pitch, dz_read, dx_addend, addend_pitch, dx, dx_pitch};
    const GradientLine line{scratch.line.mean, scratch.line.scale, scratch.line.bias, scratch.offset, scratch.slope};
    with_width<T>(packed, [&](auto width) {
        constexpr int kWidth = decltype(width)::value;
        const auto run = [&](auto activation, auto adds) {
            using Activation = decltype(activation);
            constexpr bool kAdds = decltype(adds)::value;
            const ColumnShape shape =
                column_shape(context, desc.rows, channels, kWidth, kInputGradientResident<Activation, kAdds>);
            launch(context, batch_norm_input_gradient<T, kWidth, Activation, kAdds>, blocks_of(shape), kThreads, shape,
                   tensors, line);
        };
        with_pointwise(recomputes ? desc.activation : VELU_ACTIVATION_IDENTITY, [&](auto activation) {
            if (dx_addend == nullptr) {
                run(activation, std::false_type{});
            } else {
                run(activation, std::true_type{});
            }
        });
    });
}

}  // namespace

velu_status batch_norm_forward_training(DeviceContext* context, const velu_batch_norm_desc* desc, const void* x,
                                        const float* weight, const float* bias, const void* residual,
                                        const float* lambda, float* running_mean, float* running_var,
                                        int64_t* num_batches_tracked, void* y, float* saved_mean, float* saved_inv_std,
                                        float* moments) {
    return guarded(context, [&](Context& ctx) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            const auto* from = static_cast<const T*>(x);
            const auto* added = static_cast<const T*>(residual);
            float* const wanted = wanted_moments(*desc, moments);
            const int64_t x_pitch = pitch_of(desc->x_pitch, *desc);
            const bool packed = is_packed<T>(desc->channels, x_pitch, x, residual, y);
            with_width<T>(packed, [&](auto width) {
                constexpr int kWidth = decltype(width)::value;
                const ColumnShape shape = column_shape(ctx, desc->rows, desc->channels, kWidth, kSumsResident);
                const ForwardScratch scratch = forward_scratch<T>(ctx, *desc, packed, shape.parts, wanted);
                launch(ctx, batch_norm_statistics<T, kWidth>, blocks_of(shape), kThreads, shape, from, x_pitch,
                       scratch.sums);
                const RunningStatistics running{running_mean, running_var, num_batches_tracked,
                                                static_cast<double>(desc->momentum)};
                launch(ctx, finish_statistics<T>, joining_blocks(desc->channels), kThreads, scratch.sums, shape.parts,
                       desc->rows, desc->channels, static_cast<double>(desc->eps), from, weight, bias, running,
                       saved_mean, saved_inv_std, scratch.line);
                apply(ctx, *desc, packed, NormalizedSource<T>{from, x_pitch, added, readable(scratch.line)}, lambda,
                      static_cast<T*>(y), scratch.moments, wanted);
            });
        });
    });
}

velu_status batch_norm_forward_inference(DeviceContext* context, const velu_batch_norm_desc* desc, const void* x,
                                         const float* weight, const float* bias, const void* residual,
                                         const float* lambda, const float* running_mean, const float* running_var,
                                         void* y, float* moments) {
    return guarded(context, [&](Context& ctx) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            float* const wanted = wanted_moments(*desc, moments);
            const int64_t x_pitch = pitch_of(desc->x_pitch, *desc);
            const bool packed = is_packed<T>(desc->channels, x_pitch, x, residual, y);
            const ForwardScratch scratch = forward_scratch<T>(ctx, *desc, packed, 0, wanted);
            launch(ctx, copy_line, grid_for(ctx, desc->channels, kThreads), kThreads, desc->channels, running_mean,
                   running_var, static_cast<double>(desc->eps), nullptr, weight, bias, scratch.line);
            apply(ctx, *desc, packed,
                  NormalizedSource<T>{static_cast<const T*>(x), x_pitch, static_cast<const T*>(residual),
                                      readable(scratch.line)},
                  lambda, static_cast<T*>(y), scratch.moments, wanted);
        });
    });
}

velu_status batch_norm_backward(DeviceContext* context, const velu_batch_norm_desc* desc, const void* x, const void* dy,
                                const float* weight, const float* bias, const void* residual, const float* lambda,
                                const float* saved_mean, const float* saved_inv_std, const float* moments,
                                const void* dx_addend, void* dx, void* dresidual, float* dweight, float* dbias,
                                float* dlambda) {
    return guarded(context, [&](Context& ctx) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            backward(ctx, *desc, static_cast<const T*>(x), static_cast<const T*>(dy), weight, bias,
                     static_cast<const T*>(residual), lambda, saved_mean, saved_inv_std, moments,
                     static_cast<const T*>(dx_addend), static_cast<T*>(dx), static_cast<T*>(dresidual), dweight, dbias,
                     dlambda);
        });
    });
}

}  // namespace velu::cuda
