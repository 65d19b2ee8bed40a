// Attention for heads of any size, in tiles of 64 queries by 64 keys: for those that are too wide for
// attention_tile.cuh.
//
// A block of 256 threads makes 64 rows of the result in one chunk of 64 columns, so a row's scores are computed once
// for every chunk: (head_size / 64 + 1) / 2 times the multiply-adds of attention.cu. As in gemm.cuh a thread has 4 x 4
// elements of a tile, of which a warp's lie beside each other; the limit is shared memory rather than arithmetic.
#pragma once

#include "cuda/attention_heads.cuh"
#include "cuda/attention_tile.cuh"
#include "cuda/element.cuh"
#include "cuda/launch.cuh"

#include <algorithm>
#include <cstdint>

namespace velu::cuda {

inline constexpr int kWideThreads = 256;
inline constexpr int kWideTile = 64;   // rows and columns of a tile
inline constexpr int kWideDepth = 16;  // of a sum that is in shared memory at a time

/// A block's shared memory.
struct WideTiles {
    float left[kWideDepth][kWideTile + 1];
    float right[kWideDepth][kWideTile + 1];
    float weights[kWideTile][kWideTile + 1];
    float values[kWideTile][kWideTile];
};

/// products[i][j] = row (row + 16 i) of a times row (column + 16 j) of b, over size elements; rows from first_a and
/// first_b on, 0 where there is no token. All threads call it.
template <class T>
__device__ __forceinline__ void multiply_wide_rows(const HeadRows<const T>& a, int64_t first_a,
                                                   const HeadRows<const T>& b, int64_t first_b, int64_t tokens,
                                                   int64_t size, WideTiles& tiles, float (&products)[4][4]) {
    const int row = static_cast<int>(threadIdx.x) / 16;
    const int column = static_cast<int>(threadIdx.x) % 16;
    const int loaded_row = static_cast<int>(threadIdx.x) / 4;
    const int loaded_depth = static_cast<int>(threadIdx.x) % 4 * 4;
    const int64_t token_a = first_a + loaded_row;
    const int64_t token_b = first_b + loaded_row;
    const T* const from_a = a.data + (token_a < tokens ? token_a : 0) * a.pitch;
    const T* const from_b = b.data + (token_b < tokens ? token_b : 0) * b.pitch;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) products[i][j] = 0;
    }
    for (int64_t start = 0; start < size; start += kWideDepth) {
        __syncthreads();  // what was there has been read
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int64_t d = start + loaded_depth + i;
            tiles.left[loaded_depth + i][loaded_row] = token_a < tokens && d < size ? to_float(from_a[d]) : 0.0f;
            tiles.right[loaded_depth + i][loaded_row] = token_b < tokens && d < size ? to_float(from_b[d]) : 0.0f;
        }
        __syncthreads();
#pragma unroll 4
        for (int depth = 0; depth < kWideDepth; ++depth) {
            float rows[4], columns[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                rows[i] = tiles.left[depth][row + 16 * i];
                columns[i] = tiles.right[depth][column + 16 * i];
            }
#pragma unroll
            for (int i = 0; i < 4; ++i) {
#pragma unroll
                for (int j = 0; j < 4; ++j) products[i][j] = fmaf(rows[i], columns[j], products[i][j]);
            }
        }
    }
}

/// sums[i][j] += row (row + 16 i) of weight, of which each thread has what multiply_wide_rows gave it, times column
/// first_element + column + 16 j of b's 64 rows from first_b on. All threads call it.
template <class T>
__device__ __forceinline__ void add_wide_weighted(const float (&weight)[4][4], const HeadRows<const T>& b,
                                                  int64_t first_b, int64_t tokens, int64_t first_element, int64_t size,
                                                  WideTiles& tiles, float (&sums)[4][4]) {
    const int row = static_cast<int>(threadIdx.x) / 16;
    const int column = static_cast<int>(threadIdx.x) % 16;
    __syncthreads();  // what was there has been read
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) tiles.weights[row + 16 * i][column + 16 * j] = weight[i][j];
    }
#pragma unroll 4
    for (int i = 0; i < kWideTile * kWideTile / kWideThreads; ++i) {
        const int loaded_row = i * (kWideThreads / kWideTile) + static_cast<int>(threadIdx.x) / kWideTile;
        const int loaded_column = static_cast<int>(threadIdx.x) % kWideTile;
        const int64_t token = first_b + loaded_row;
        const int64_t element = first_element + loaded_column;
        tiles.values[loaded_row][loaded_column] =
            token < tokens && element < size ? to_float(b.data[token * b.pitch + element]) : 0.0f;
    }
    __syncthreads();
#pragma unroll 4
    for (int k = 0; k < kWideTile; ++k) {
        float rows[4], columns[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            rows[i] = tiles.weights[row + 16 * i][k];
            columns[i] = tiles.values[k][column + 16 * i];
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) {
#pragma unroll
            for (int j = 0; j < 4; ++j) sums[i][j] = fmaf(rows[i], columns[j], sums[i][j]);
        }
    }
}

/// Stores rows from row `first` on, but not past the last token, in the chunk's columns.
template <class T>
__device__ __forceinline__ void store_wide(const float (&sums)[4][4], const HeadRows<T>& rows, int64_t first,
                                           int64_t tokens, int64_t first_element, int64_t size) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int64_t token = first + static_cast<int>(threadIdx.x) / 16 + 16 * i;
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const int64_t element = first_element + static_cast<int>(threadIdx.x) % 16 + 16 * j;
            if (token < tokens && element < size) rows.data[token * rows.pitch + element] = from_float<T>(sums[i][j]);
        }
    }
}

/// Combines a value over the 16 threads of a row of a tile; all of them get the result.
template <class Function>
__device__ __forceinline__ float over_wide_columns(float value, const Function& function) {
#pragma unroll
    for (int lane = 1; lane <= 8; lane *= 2) value = function(value, __shfl_xor_sync(kAllLanes, value, lane));
    return value;
}

/// What block `task` makes: a chunk of columns of a tile of rows of a head.
struct WideTask {
    int64_t first_row, first_element;
    Head head;

    static __host__ __device__ int64_t count(const velu_attention_desc& desc) {
        return tiles(desc.tokens) * tiles(desc.head_size) * desc.heads * desc.batch;
    }

    __device__ WideTask(const velu_attention_desc& desc, int64_t task) {
        const int64_t chunks = tiles(desc.head_size);
        const int64_t rows = tiles(desc.tokens);
        first_element = task % chunks * kWideTile;
        first_row = task / chunks % rows * kWideTile;
        const int64_t above = task / chunks / rows;
        head = {above / desc.heads, above % desc.heads};
    }

    static __host__ __device__ int64_t tiles(int64_t count) { return (count + kWideTile - 1) / kWideTile; }
};

template <class T>
__global__ void __launch_bounds__(kWideThreads, 2) attention_wide_forward_kernel(AttentionForward<T> a) {
    __shared__ WideTiles tiles;
    const int64_t tokens = a.desc.tokens;
    const int64_t size = a.desc.head_size;
    const int row = static_cast<int>(threadIdx.x) / 16;
    const int column = static_cast<int>(threadIdx.x) % 16;
    for (int64_t index = blockIdx.x; index < WideTask::count(a.desc); index += gridDim.x) {
        const WideTask task(a.desc, index);
        const HeadRows<const T> queries = qkv_rows(a.desc, a.qkv, task.head, kQuery);
        const HeadRows<const T> keys = qkv_rows(a.desc, a.qkv, task.head, kKey);
        const HeadRows<const T> values = qkv_rows(a.desc, a.qkv, task.head, kValue);
        float sums[4][4] = {};
        float maximum[4];
        float total[4] = {};  // of this thread's keys
#pragma unroll
        for (int i = 0; i < 4; ++i) maximum[i] = __uint_as_float(0xFF800000u);  // -infinity
        for (int64_t first_key = 0; first_key < tokens; first_key += kWideTile) {
            float score[4][4];
            multiply_wide_rows(queries, task.first_row, keys, first_key, tokens, size, tiles, score);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float greatest = maximum[i];
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    const bool inside = first_key + column + 16 * j < tokens;
                    score[i][j] = inside ? score[i][j] * a.desc.scale : __uint_as_float(0xFF800000u);
                    greatest = fmaxf(greatest, score[i][j]);
                }
                greatest = over_wide_columns(greatest, [](float x, float y) { return fmaxf(x, y); });
                const float factor = score_exponential(maximum[i] - greatest);
                maximum[i] = greatest;
                total[i] *= factor;
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    score[i][j] = score_exponential(score[i][j] - greatest);
                    total[i] += score[i][j];
                    sums[i][j] *= factor;
                }
            }
            add_wide_weighted(score, values, first_key, tokens, task.first_element, size, tiles, sums);
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const float sum = over_wide_columns(total[i], [](float x, float y) { return x + y; });
            const float factor = 1.0f / sum;
#pragma unroll
            for (int j = 0; j < 4; ++j) sums[i][j] *= factor;
            const int64_t query = task.first_row + row + 16 * i;
            if (a.log_sum_exp != nullptr && task.first_element == 0 && column == 0 && query < tokens) {
                a.log_sum_exp[first_token(a.desc, task.head) + query] = maximum[i] + logf(sum);
            }
        }
        store_wide(sums, y_rows(a.desc, a.y, task.head), task.first_row, tokens, task.first_element, size);
    }
}

/// dq of 64 queries, or with kOfKeys dk and dv of 64 keys.
template <class T, bool kOfKeys>
__global__ void __launch_bounds__(kWideThreads, 1) attention_wide_backward_kernel(AttentionBackward<T> a) {
    __shared__ WideTiles tiles;
    const int64_t tokens = a.desc.tokens;
    const int64_t size = a.desc.head_size;
    const int row = static_cast<int>(threadIdx.x) / 16;
    const int column = static_cast<int>(threadIdx.x) % 16;
    for (int64_t index = blockIdx.x; index < WideTask::count(a.desc); index += gridDim.x) {
        const WideTask task(a.desc, index);
        const HeadRows<const T> queries = qkv_rows(a.desc, a.qkv, task.head, kQuery);
        const HeadRows<const T> keys = qkv_rows(a.desc, a.qkv, task.head, kKey);
        const HeadRows<const T> values = qkv_rows(a.desc, a.qkv, task.head, kValue);
        const HeadRows<const T> gradients = y_rows(a.desc, a.dy, task.head);
        const float* const log_sum_exp = a.log_sum_exp + first_token(a.desc, task.head);
        const float* const delta = a.delta + first_token(a.desc, task.head);
        float sums[4][4] = {};        // dq or dk
        float value_sums[4][4] = {};  // dv
        for (int64_t first = 0; first < tokens; first += kWideTile) {
            float weight[4][4];    // scores, then p
            float gradient[4][4];  // dp, then ds
            multiply_wide_rows(kOfKeys ? keys : queries, task.first_row, kOfKeys ? queries : keys, first, tokens, size,
                               tiles, weight);
            multiply_wide_rows(kOfKeys ? values : gradients, task.first_row, kOfKeys ? gradients : values, first,
                               tokens, size, tiles, gradient);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    const int64_t of_row = task.first_row + row + 16 * i;
                    const int64_t of_column = first + column + 16 * j;
                    const bool inside = of_row < tokens && of_column < tokens;
                    const int64_t query = !inside ? 0 : kOfKeys ? of_column : of_row;
                    const float p = score_exponential(weight[i][j] * a.desc.scale - log_sum_exp[query]);
                    const float ds = p * (gradient[i][j] - delta[query]) * a.desc.scale;
                    weight[i][j] = inside ? p : 0.0f;
                    gradient[i][j] = inside ? ds : 0.0f;
                }
            }
            if constexpr (kOfKeys) {
                add_wide_weighted(weight, gradients, first, tokens, task.first_element, size, tiles, value_sums);
            }
            add_wide_weighted(gradient, kOfKeys ? queries : keys, first, tokens, task.first_element, size, tiles, sums);
        }
        store_wide(sums, qkv_rows(a.desc, a.dqkv, task.head, kOfKeys ? kKey : kQuery), task.first_row, tokens,
                   task.first_element, size);
        if constexpr (kOfKeys) {
            store_wide(value_sums, qkv_rows(a.desc, a.dqkv, task.head, kValue), task.first_row, tokens,
                       task.first_element, size);
        }
    }
}

template <class T>
void attention_wide_forward(Context& context, const AttentionForward<T>& arguments) {
    const auto blocks = static_cast<unsigned>(std::min<int64_t>(WideTask::count(arguments.desc), INT32_MAX));
    launch(context, attention_wide_forward_kernel<T>, blocks, kWideThreads, arguments);
}

template <class T>
void attention_wide_backward(Context& context, const AttentionBackward<T>& arguments) {
    const auto blocks = static_cast<unsigned>(std::min<int64_t>(WideTask::count(arguments.desc), INT32_MAX));
    launch(context, attention_wide_backward_kernel<T, true>, blocks, kWideThreads, arguments);
    launch(context, attention_wide_backward_kernel<T, false>, blocks, kWideThreads, arguments);
}

}  // namespace velu::cuda
