// Layer normalization, with the residual sum before it.
//
// A row belongs to a team: a warp where 32 elements per lane hold it, else a block of 128 threads. A thread keeps its
// packs of 16 bytes in registers, so that memory is read and written once, and all loads of a row are in flight
// together. Rows that no team holds, and such as are not made of whole packs, are read again for each of their sums,
// from the cache.
//
// The gradients of weight and bias are sums down the columns: a thread keeps those of its channels in registers over
// all rows it does, a block adds its teams' in order and stores them, and a second kernel adds the blocks'.
#include "cuda/channel_lanes.cuh"
#include "cuda/element.cuh"
#include "cuda/launch.cuh"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kColumnThreads = ChannelLanes::kThreads;  // of blocks that run down the columns
constexpr int kMostElements = 32;                       // of a row in one thread's registers

template <class T>
struct ForwardArguments {
    int64_t rows, channels;
    float eps;
    const T* x;
    const T* residual;  // or NULL
    const float* weight;
    const float* bias;
    T* sum;  // or NULL
    T* y;
    float* saved_mean;     // or NULL
    float* saved_inv_std;  // or NULL
};

template <class T>
struct BackwardArguments {
    int64_t rows, channels;
    const T* z;
    const T* dy;
    const T* dz_addend;  // or NULL
    const float* weight;
    const float* saved_mean;
    const float* saved_inv_std;
    T* dx;
    float* partial;  // [blocks][2][channels]: of dweight and dbias
};

/// kThreadsOfRow (32 or kThreads) neighbouring threads that share rows.
template <int kThreadsOfRow>
struct Team {
    static constexpr int threads = kThreadsOfRow;
    static constexpr int of_block = kThreads / kThreadsOfRow;

    static __device__ __forceinline__ int place() { return static_cast<int>(threadIdx.x) % kThreadsOfRow; }
    static __device__ __forceinline__ int index() { return static_cast<int>(threadIdx.x) / kThreadsOfRow; }

    /// body(row) for every row of this team; all threads of a block that is one team make the same number of calls.
    template <class Body>
    static __device__ __forceinline__ void for_each_row(int64_t rows, const Body& body) {
        const int64_t step = int64_t{gridDim.x} * of_block;
        for (int64_t row = int64_t{blockIdx.x} * of_block + index(); row < rows; row += step) body(row);
    }

    static __device__ __forceinline__ float sum(float value) {
        if constexpr (kThreadsOfRow == kWarp) {
            return warp_sum(value);
        } else {
            __shared__ float slots[kThreads / kWarp];
            return block_sum<kThreads>(value, slots);
        }
    }
};

/// Mean and 1 / standard deviation from sums of d = z - shift and its square, with shift close to the mean. What the
/// rounding of shift took from the mean is found in d's mean.
struct Statistics {
    float offset;  // mean - shift
    float inv_std;

    __device__ __forceinline__ Statistics(float sum, float sum_of_squares, float channels, float eps) {
        offset = sum / channels;
        const float variance = fmaf(-offset, offset, sum_of_squares / channels);
        inv_std = 1.0f / sqrtf((variance < 0.0f ? 0.0f : variance) + eps);
    }
};

/// Blocks per multiprocessor, by elements of a row in a thread's registers.
template <int kElements>
constexpr int kForwardBlocks = kElements > 24   ? 4
                               : kElements > 16 ? 5
                                                : 6;

/// Reads and writes an element each, another one each with a residual: limited by memory. About 12 instructions per
/// element, of a budget of 55 (27 for bfloat16); weight and bias come from the L1 cache. Of 768 channels, 20 warps of a
/// multiprocessor have 30 KB (bfloat16) of x in flight.
template <class T, class Team, int kPacks>
__global__ void __launch_bounds__(kThreads, (kForwardBlocks<kPacks * kPackSize<T>>))
    layer_norm_forward_kernel(ForwardArguments<T> a) {
    constexpr int kPack = kPackSize<T>;
    const auto channels = static_cast<float>(a.channels);
    Team::for_each_row(a.rows, [&](int64_t row) {
        float value[kPacks][kPack];
        const int64_t start = row * a.channels;
#pragma unroll
        for (int p = 0; p < kPacks; ++p) {
            const int64_t c = (p * Team::threads + Team::place()) * kPack;
#pragma unroll
            for (int i = 0; i < kPack; ++i) value[p][i] = 0;
            if (c < a.channels) load(a.x + start + c, value[p]);
        }
        if (a.residual != nullptr) {
            float other[kPacks][kPack];
#pragma unroll
            for (int p = 0; p < kPacks; ++p) {
                const int64_t c = (p * Team::threads + Team::place()) * kPack;
                if (c < a.channels) load(a.residual + start + c, other[p]);
            }
#pragma unroll
            for (int p = 0; p < kPacks; ++p) {
                const int64_t c = (p * Team::threads + Team::place()) * kPack;
                if (c >= a.channels) continue;
#pragma unroll
                for (int i = 0; i < kPack; ++i) value[p][i] = to_float(from_float<T>(value[p][i] + other[p][i]));
                store(value[p], a.sum + start + c);
            }
        }
        float total = 0;
#pragma unroll
        for (int p = 0; p < kPacks; ++p) {
#pragma unroll
            for (int i = 0; i < kPack; ++i) total += value[p][i];
        }
        const float shift = Team::sum(total) / channels;
        float deviations = 0;
        float squares = 0;
#pragma unroll
        for (int p = 0; p < kPacks; ++p) {
            const int64_t c = (p * Team::threads + Team::place()) * kPack;
            if (c >= a.channels) continue;
#pragma unroll
            for (int i = 0; i < kPack; ++i) {
                value[p][i] -= shift;
                deviations += value[p][i];
                squares = fmaf(value[p][i], value[p][i], squares);
            }
        }
        deviations = Team::sum(deviations);
        const Statistics statistics(deviations, Team::sum(squares), channels, a.eps);
#pragma unroll
        for (int p = 0; p < kPacks; ++p) {
            const int64_t c = (p * Team::threads + Team::place()) * kPack;
            if (c >= a.channels) continue;
            float weight[kPack], bias[kPack];
            load(a.weight + c, weight);
            load(a.bias + c, bias);
#pragma unroll
            for (int i = 0; i < kPack; ++i) {
                value[p][i] = fmaf((value[p][i] - statistics.offset) * statistics.inv_std, weight[i], bias[i]);
            }
            store(value[p], a.y + start + c);
        }
        if (a.saved_mean != nullptr && Team::place() == 0) {
            a.saved_mean[row] = shift + statistics.offset;
            a.saved_inv_std[row] = statistics.inv_std;
        }
    });
}

/// The same for any row and alignment: an element at a time, and three times.
template <class T, class Team>
__global__ void __launch_bounds__(kThreads) layer_norm_forward_any_kernel(ForwardArguments<T> a) {
    const auto channels = static_cast<float>(a.channels);
    Team::for_each_row(a.rows, [&](int64_t row) {
        const int64_t start = row * a.channels;
        const T* z = (a.residual == nullptr ? a.x : a.sum) + start;
        float total = 0;
        for (int64_t c = Team::place(); c < a.channels; c += Team::threads) {
            if (a.residual != nullptr) {
                a.sum[start + c] = from_float<T>(to_float(a.x[start + c]) + to_float(a.residual[start + c]));
            }
            total += to_float(z[c]);
        }
        const float shift = Team::sum(total) / channels;
        float deviations = 0;
        float squares = 0;
        for (int64_t c = Team::place(); c < a.channels; c += Team::threads) {
            const float deviation = to_float(z[c]) - shift;
            deviations += deviation;
            squares = fmaf(deviation, deviation, squares);
        }
        deviations = Team::sum(deviations);
        const Statistics statistics(deviations, Team::sum(squares), channels, a.eps);
        for (int64_t c = Team::place(); c < a.channels; c += Team::threads) {
            const float deviation = to_float(z[c]) - shift - statistics.offset;
            a.y[start + c] = from_float<T>(fmaf(deviation * statistics.inv_std, a.weight[c], a.bias[c]));
        }
        if (a.saved_mean != nullptr && Team::place() == 0) {
            a.saved_mean[row] = shift + statistics.offset;
            a.saved_inv_std[row] = statistics.inv_std;
        }
    });
}

// With n = (z - mean) inv_std and g = dy weight:
//     dx = inv_std (g - mean(g) - n mean(g n)) + dz_addend,   dweight = sum(dy n),   dbias = sum(dy)

/// Blocks per multiprocessor, by what a thread holds.
template <class Team, int kElements>
constexpr int kBackwardBlocks = kElements > 24                          ? 2
                                : kElements > 16 && Team::of_block == 1 ? 3
                                                                        : 4;

/// Reads two elements, three with dz_addend, and writes one: limited by memory. About 14 instructions per element, of a
/// budget of 82 (41 for bfloat16). A thread holds 4 numbers per element of a row, so 8 or 16 warps are on a
/// multiprocessor: each has a whole row of z and dy in flight, 24 or 48 KB together for 768 channels.
template <class T, class Team, int kPacks>
__global__ void __launch_bounds__(kThreads, (kBackwardBlocks<Team, kPacks * kPackSize<T>>))
    layer_norm_backward_kernel(BackwardArguments<T> a) {
    constexpr int kPack = kPackSize<T>;
    constexpr int kChannels = kPacks * Team::threads * kPack;
    const float share = 1.0f / static_cast<float>(a.channels);
    float dweight[kPacks][kPack] = {};
    float dbias[kPacks][kPack] = {};
    Team::for_each_row(a.rows, [&](int64_t row) {
        const int64_t start = row * a.channels;
        float normalized[kPacks][kPack];  // z at first
        float gradient[kPacks][kPack];    // dy at first
#pragma unroll
        for (int p = 0; p < kPacks; ++p) {
            const int64_t c = (p * Team::threads + Team::place()) * kPack;
            if (c >= a.channels) continue;
            load(a.z + start + c, normalized[p]);
            load(a.dy + start + c, gradient[p]);
        }
        const float mean = a.saved_mean[row];
        const float inv_std = a.saved_inv_std[row];
        float sum = 0;
        float product = 0;
#pragma unroll
        for (int p = 0; p < kPacks; ++p) {
            const int64_t c = (p * Team::threads + Team::place()) * kPack;
            if (c >= a.channels) continue;
            float weight[kPack];
            load(a.weight + c, weight);
#pragma unroll
            for (int i = 0; i < kPack; ++i) {
                normalized[p][i] = (normalized[p][i] - mean) * inv_std;
                dbias[p][i] += gradient[p][i];
                dweight[p][i] = fmaf(gradient[p][i], normalized[p][i], dweight[p][i]);
                gradient[p][i] *= weight[i];
                sum += gradient[p][i];
                product = fmaf(gradient[p][i], normalized[p][i], product);
            }
        }
        sum = Team::sum(sum) * share;
        product = Team::sum(product) * share;
#pragma unroll
        for (int p = 0; p < kPacks; ++p) {
            const int64_t c = (p * Team::threads + Team::place()) * kPack;
            if (c >= a.channels) continue;
            float addend[kPack] = {};
            if (a.dz_addend != nullptr) load(a.dz_addend + start + c, addend);
#pragma unroll
            for (int i = 0; i < kPack; ++i) {
                gradient[p][i] = fmaf(fmaf(-normalized[p][i], product, gradient[p][i] - sum), inv_std, addend[i]);
            }
            store(gradient[p], a.dx + start + c);
        }
    });

    float* const to = a.partial + int64_t{blockIdx.x} * 2 * a.channels;
    if constexpr (Team::of_block == 1) {
#pragma unroll
        for (int p = 0; p < kPacks; ++p) {
            const int64_t c = (p * Team::threads + Team::place()) * kPack;
            if (c >= a.channels) continue;
#pragma unroll
            for (int i = 0; i < kPack; ++i) {
                to[c + i] = dweight[p][i];
                to[a.channels + c + i] = dbias[p][i];
            }
        }
    } else {
        __shared__ float sums[2][kChannels];
        for (int team = 0; team < Team::of_block; ++team) {
            if (Team::index() == team) {
#pragma unroll
                for (int p = 0; p < kPacks; ++p) {
                    const int c = (p * Team::threads + Team::place()) * kPack;
                    float before[2][kPack] = {};
                    if (team > 0) {
                        load(&sums[0][c], before[0]);
                        load(&sums[1][c], before[1]);
                    }
#pragma unroll
                    for (int i = 0; i < kPack; ++i) {
                        before[0][i] += dweight[p][i];
                        before[1][i] += dbias[p][i];
                    }
                    store(before[0], &sums[0][c]);
                    store(before[1], &sums[1][c]);
                }
            }
            __syncthreads();
        }
        for (int64_t c = threadIdx.x; c < a.channels; c += kThreads) {
            to[c] = sums[0][c];
            to[a.channels + c] = sums[1][c];
        }
    }
}

/// The gradient of any row: an element at a time, and twice. dweight and dbias are column_gradient_kernel's.
template <class T, class Team>
__global__ void __launch_bounds__(kThreads) layer_norm_backward_any_kernel(BackwardArguments<T> a) {
    const float share = 1.0f / static_cast<float>(a.channels);
    Team::for_each_row(a.rows, [&](int64_t row) {
        const int64_t start = row * a.channels;
        const float mean = a.saved_mean[row];
        const float inv_std = a.saved_inv_std[row];
        float sum = 0;
        float product = 0;
        for (int64_t c = Team::place(); c < a.channels; c += Team::threads) {
            const float gradient = to_float(a.dy[start + c]) * a.weight[c];
            sum += gradient;
            product = fmaf(gradient, (to_float(a.z[start + c]) - mean) * inv_std, product);
        }
        sum = Team::sum(sum) * share;
        product = Team::sum(product) * share;
        for (int64_t c = Team::place(); c < a.channels; c += Team::threads) {
            const float gradient = to_float(a.dy[start + c]) * a.weight[c];
            const float normalized = (to_float(a.z[start + c]) - mean) * inv_std;
            const float addend = a.dz_addend == nullptr ? 0.0f : to_float(a.dz_addend[start + c]);
            a.dx[start + c] = from_float<T>(fmaf(fmaf(-normalized, product, gradient - sum), inv_std, addend));
        }
    });
}

/// Sums down the columns for rows that no team holds; runs before dx may take dy's place. Reads two elements, about 8
/// instructions: limited by memory.
template <class T>
__global__ void __launch_bounds__(kColumnThreads) column_gradient_kernel(ChannelLanes lanes, BackwardArguments<T> a) {
    __shared__ float sums[2][kColumnThreads];
    const int lane = static_cast<int>(threadIdx.x) % lanes.lanes;
    const int strip = static_cast<int>(threadIdx.x) / lanes.lanes;
    const int64_t c = int64_t{static_cast<int>(blockIdx.x) % lanes.chunks} * lanes.lanes + lane;
    const int64_t part = static_cast<int>(blockIdx.x) / lanes.chunks;
    const int64_t step = int64_t{gridDim.x / static_cast<unsigned>(lanes.chunks)} * lanes.strips;
    const bool inside = strip < lanes.strips && c < a.channels;
    float dweight = 0;
    float dbias = 0;
    if (inside) {
        for (int64_t row = part * lanes.strips + strip; row < a.rows; row += step) {
            const float gradient = to_float(a.dy[row * a.channels + c]);
            const float deviation = to_float(a.z[row * a.channels + c]) - a.saved_mean[row];
            dweight = fmaf(gradient, deviation * a.saved_inv_std[row], dweight);
            dbias += gradient;
        }
    }
    sums[0][threadIdx.x] = dweight;
    sums[1][threadIdx.x] = dbias;
    __syncthreads();
    if (!inside || strip != 0) return;
    for (int other = 1; other < lanes.strips; ++other) {
        dweight += sums[0][other * lanes.lanes + lane];
        dbias += sums[1][other * lanes.lanes + lane];
    }
    a.partial[part * 2 * a.channels + c] = dweight;
    a.partial[(part * 2 + 1) * a.channels + c] = dbias;
}

/// dweight and dbias from the blocks' sums partial[parts][2][channels], in float64: a block does 32 of the 2 channels
/// sums, of which each of its warps adds every eighth part. Small beside what wrote partial.
__global__ void __launch_bounds__(kColumnThreads)
    join_gradients_kernel(int64_t channels, int parts, const float* __restrict__ partial, float* __restrict__ dweight,
                          float* __restrict__ dbias) {
    constexpr int kWarps = kColumnThreads / kWarp;
    __shared__ double of_warps[kWarps][kWarp];
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int64_t index = int64_t{blockIdx.x} * kWarp + lane;
    double sum = 0;
    if (index < 2 * channels) {
#pragma unroll 4
        for (int part = warp; part < parts; part += kWarps) {
            sum += static_cast<double>(partial[part * 2 * channels + index]);
        }
    }
    of_warps[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || index >= 2 * channels) return;
    for (int other = 1; other < kWarps; ++other) sum += of_warps[other][lane];
    (index < channels ? dweight[index] : dbias[index - channels]) = static_cast<float>(sum);
}

template <int N>
struct Packs {
    static constexpr int value = N;
};

using WarpTeam = Team<kWarp>;
using BlockTeam = Team<kThreads>;

/// Calls held(Team{}, Packs<N>{}) with the team and its packs per thread that hold a row, or any(Team{}).
template <class T, class Held, class Any>
void with_team(int64_t channels, bool aligned, const Held& held, const Any& any) {
    constexpr int kPack = kPackSize<T>;
    constexpr int kStep = kMostElements / 4 / kPack;  // so that a thread has 8, 16, 24 or 32 elements
    const auto with_packs = [&](auto team, int64_t packs_of_thread) {
        if (packs_of_thread <= kStep) {
            held(team, Packs<kStep>{});
        } else if (packs_of_thread <= 2 * kStep) {
            held(team, Packs<2 * kStep>{});
        } else if (packs_of_thread <= 3 * kStep) {
            held(team, Packs<3 * kStep>{});
        } else {
            held(team, Packs<4 * kStep>{});
        }
    };
    const int64_t packs = channels / kPack;
    const bool packed = aligned && channels % kPack == 0;
    if (packed && channels <= kWarp * kMostElements) {
        with_packs(WarpTeam{}, (packs + kWarp - 1) / kWarp);
    } else if (packed && channels <= kThreads * kMostElements) {
        with_packs(BlockTeam{}, (packs + kThreads - 1) / kThreads);
    } else if (channels <= kWarp * kMostElements) {
        any(WarpTeam{});
    } else {
        any(BlockTeam{});
    }
}

}  // namespace

velu_status layer_norm_forward(DeviceContext* context, const velu_layer_norm_desc* desc, const void* x,
                               const void* residual, const float* weight, const float* bias, void* sum, void* y,
                               float* saved_mean, float* saved_inv_std) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            const ForwardArguments<T> arguments = {desc->rows,
                                                   desc->channels,
                                                   desc->eps,
                                                   static_cast<const T*>(x),
                                                   static_cast<const T*>(residual),
                                                   weight,
                                                   bias,
                                                   static_cast<T*>(sum),
                                                   static_cast<T*>(y),
                                                   saved_mean,
                                                   saved_inv_std};
            with_team<T>(
                desc->channels, aligned_to_16(x, residual, weight, bias, sum, y),
                [&](auto team, auto packs) {
                    using Rows = decltype(team);
                    launch(device, layer_norm_forward_kernel<T, Rows, decltype(packs)::value>,
                           grid_for(device, desc->rows, Rows::of_block), kThreads, arguments);
                },
                [&](auto team) {
                    using Rows = decltype(team);
                    launch(device, layer_norm_forward_any_kernel<T, Rows>, grid_for(device, desc->rows, Rows::of_block),
                           kThreads, arguments);
                });
        });
    });
}

velu_status layer_norm_backward(DeviceContext* context, const velu_layer_norm_desc* desc, const void* z, const void* dy,
                                const void* dz_addend, const float* weight, const float* saved_mean,
                                const float* saved_inv_std, void* dx, float* dweight, float* dbias) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            BackwardArguments<T> arguments = {desc->rows,
                                              desc->channels,
                                              static_cast<const T*>(z),
                                              static_cast<const T*>(dy),
                                              static_cast<const T*>(dz_addend),
                                              weight,
                                              saved_mean,
                                              saved_inv_std,
                                              static_cast<T*>(dx),
                                              nullptr};
            unsigned parts = 0;
            const auto reserve = [&](unsigned count) {
                parts = count;
                arguments.partial = device.scratch<float>(int64_t{parts} * 2 * desc->channels * sizeof(float));
            };
            with_team<T>(
                desc->channels, aligned_to_16(z, dy, dz_addend, weight, dx),
                [&](auto team, auto packs) {
                    using Rows = decltype(team);
                    constexpr int kPacks = decltype(packs)::value;
                    reserve(grid_for(device, desc->rows, Rows::of_block, kBackwardBlocks<Rows, kPacks * kPackSize<T>>));
                    launch(device, layer_norm_backward_kernel<T, Rows, kPacks>, parts, kThreads, arguments);
                },
                [&](auto team) {
                    using Rows = decltype(team);
                    const ChannelLanes lanes = channel_lanes(desc->channels, 1);
                    const int64_t most = std::max<int64_t>(1, int64_t{device.multiprocessors} * 8 / lanes.chunks);
                    reserve(static_cast<unsigned>(std::clamp<int64_t>(desc->rows / lanes.strips, 1, most)));
                    launch(device, column_gradient_kernel<T>, parts * static_cast<unsigned>(lanes.chunks),
                           kColumnThreads, lanes, arguments);
                    launch(device, layer_norm_backward_any_kernel<T, Rows>,
                           grid_for(device, desc->rows, Rows::of_block), kThreads, arguments);
                });
            const auto blocks = static_cast<unsigned>((2 * desc->channels + kWarp - 1) / kWarp);
            launch(device, join_gradients_kernel, blocks, kColumnThreads, desc->channels, static_cast<int>(parts),
                   arguments.partial, dweight, dbias);
        });
    });
}

}  // namespace velu::cuda
