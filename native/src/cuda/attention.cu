// Multi-head self-attention in the manner of FlashAttention (Dao et al., NeurIPS 2022): scores live in registers and
// shared memory only.
//
// Forward: a block has a tile of queries of one image and head, and goes over the keys and values tile by tile with an
// online softmax. Backward, with p = softmax(scale q k^T), dp = dy v^T and delta = sum(dy y) of a query:
//     ds = p (dp - delta) scale,   dq = ds k,   dk = ds^T q,   dv = p^T dy
// where p comes back from the scores and log_sum_exp. One kernel has a tile of queries and goes over the keys for dq,
// another has a tile of keys and goes over the queries for dk and dv: scores and dp are computed twice, so that no sum
// needs an atomic addition. Sums have one fixed order.
//
// All arithmetic is float32 on the plain units, no tensor cores: 2 products of tokens^2 head_size multiply-adds
// forward, 7 backward. What the kernels move is small beside that: per image and head, tokens / 40 blocks read all keys
// and values from the L2 cache. For heads of 64 a thread loads 16 bytes from shared memory 5.2 times per 64
// multiply-adds, for the scores of the backward pass 7.2 times; each takes 2 of the 16 cycles that the multiply-adds
// take a multiprocessor. So the limit is the arithmetic units, of which 55 to 65 % should be reached: for a layer of
// ViT-B/16 and 256 images (197 tokens, 12 heads of 64) about 0.8 ms forward and 3.3 ms backward on an H200.
//
// A tile of shared memory is of 32, 64, 96 or 128 elements of a head; of smaller heads the rest is 0. Wider heads are
// attention_wide.cuh's.
#include "cuda/attention_tile.cuh"
#include "cuda/attention_wide.cuh"
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

/// Calls step(Width<n>{}) for the least of n = kColumns, kColumns / 2 and 1 groups of 8 tokens that hold `count`
/// tokens, so that the last tile costs what it has.
template <int kColumns, class Step>
__device__ __forceinline__ void with_groups(int64_t count, const Step& step) {
    if (count > kColumns / 2 * 8) {
        step(Width<kColumns>{});
    } else if (kColumns > 2 && count > 8) {
        if constexpr (kColumns > 2) step(Width<kColumns / 2>{});
    } else {
        step(Width<1>{});
    }
}

__device__ __forceinline__ float greater(float a, float b) {
    return fmaxf(a, b);
}

/// Blocks per multiprocessor that registers are divided among: those that shared memory has room for, of which compute
/// capability 8 has less.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
template <int kBlocks>
constexpr int kResidentBlocks = kBlocks < 4 ? kBlocks : 4;
#else
template <int kBlocks>
constexpr int kResidentBlocks = kBlocks;
#endif

/// y and log_sum_exp of 8 kRows queries, with 8 kColumns keys at a time.
template <class T, int kRows, int kColumns, int kDepth, int kBlocks>
__global__ void __launch_bounds__(kAttentionThreads, (kResidentBlocks<kBlocks>))
    attention_forward_kernel(AttentionForward<T> a) {
    __shared__ Quad query_tile[2 * kRows * kDepth];
    // Of keys, then of values. g++ overlooks uses in generic lambdas.
    [[maybe_unused]] __shared__ Quad tile[2 * kColumns * kDepth];
    [[maybe_unused]] __shared__ Quad weights[8 * kRows * Weights<kColumns>::kQuads];
    const int64_t tokens = a.desc.tokens;
    const HeadSize size = {static_cast<int>(a.desc.head_size), a.quads};
    const AttentionPlace at;

    const int64_t tiles = (tokens + 8 * kRows - 1) / (8 * kRows);
    const int64_t tasks = tiles * a.desc.heads * a.desc.batch;
    for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
        const int64_t above = task / tiles;
        const int64_t first_query = (task - above * tiles) * 8 * kRows;
        const Head head = {above / a.desc.heads, above % a.desc.heads};
        const HeadRows<const T> keys = qkv_rows(a.desc, a.qkv, head, kKey);
        const HeadRows<const T> values = qkv_rows(a.desc, a.qkv, head, kValue);
        load_tile<8 * kRows, kDepth>(qkv_rows(a.desc, a.qkv, head, kQuery), first_query, tokens, size, query_tile);

        float sums[kRows][kDepth / 8] = {};
        float maximum[kRows];
        float total[kRows] = {};  // of this thread's keys
#pragma unroll
        for (int i = 0; i < kRows; ++i) maximum[i] = __uint_as_float(0xFF800000u);  // -infinity
        for (int64_t first_key = 0; first_key < tokens; first_key += 8 * kColumns) {
            with_groups<kColumns>(tokens - first_key, [&](auto groups) {
                constexpr int kGroups = decltype(groups)::value;
                __syncthreads();  // the tiles before have been read
                load_tile<8 * kGroups, kDepth>(keys, first_key, tokens, size, tile);
                __syncthreads();
                float score[kRows][kGroups];
                multiply_rows<kDepth>(query_tile, tile, at, score);
#pragma unroll
                for (int i = 0; i < kRows; ++i) {
                    float greatest = maximum[i];
#pragma unroll
                    for (int j = 0; j < kGroups; ++j) {
                        const bool inside = first_key + at.column + 8 * j < tokens;
                        score[i][j] = inside ? score[i][j] * a.desc.scale : __uint_as_float(0xFF800000u);
                        greatest = fmaxf(greatest, score[i][j]);
                    }
                    greatest = over_columns(greatest, greater);
                    const float factor = score_exponential(maximum[i] - greatest);
                    maximum[i] = greatest;
                    total[i] *= factor;
#pragma unroll
                    for (int j = 0; j < kGroups; ++j) {
                        score[i][j] = score_exponential(score[i][j] - greatest);
                        total[i] += score[i][j];
                    }
#pragma unroll
                    for (int d = 0; d < kDepth / 8; ++d) sums[i][d] *= factor;
                }
                Weights<kColumns>::write(score, at, weights);
                __syncthreads();  // the keys have been read
                load_tile<8 * kGroups, kDepth>(values, first_key, tokens, size, tile);
                __syncthreads();
                add_weighted<kDepth, kColumns, kGroups>(weights, tile, at, sums);
            });
        }

        float factor[kRows];
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
            const float sum = over_columns(total[i], [](float x, float y) { return x + y; });
            factor[i] = 1.0f / sum;
            const int64_t query = first_query + at.row + 8 * i;
            if (a.log_sum_exp != nullptr && at.column == 0 && query < tokens) {
                a.log_sum_exp[first_token(a.desc, head) + query] = maximum[i] + logf(sum);
            }
        }
        store_rows<kDepth>(sums, factor, at, y_rows(a.desc, a.y, head), first_query, tokens, size);
    }
}

/// delta[image][head][token] = sum of dy y: 8 lanes per token and head. Reads two elements, 3 instructions: limited by
/// memory.
constexpr int kDeltaThreads = 256;

template <class T>
__global__ void __launch_bounds__(kDeltaThreads)
    attention_delta_kernel(velu_attention_desc desc, bool quads, const T* __restrict__ y, const T* __restrict__ dy,
                           float* __restrict__ delta) {
    constexpr int kLanes = 8;
    const int lane = static_cast<int>(threadIdx.x) % kLanes;
    const int64_t rows = desc.batch * desc.tokens * desc.heads;
    // As far as the last lane of the warp has rows: all lanes take part in the sum.
    const int64_t rows_of_warps = (rows + kWarp / kLanes - 1) / (kWarp / kLanes) * (kWarp / kLanes);
    for (int64_t row = thread_index() / kLanes; row < rows_of_warps; row += thread_count() / kLanes) {
        float sum = 0;
        if (row < rows && quads) {
            for (int64_t d = lane * 4; d < desc.head_size; d += kLanes * 4) {
                float value[4], gradient[4];
                load(y + row * desc.head_size + d, value);
                load(dy + row * desc.head_size + d, gradient);
#pragma unroll
                for (int e = 0; e < 4; ++e) sum = fmaf(value[e], gradient[e], sum);
            }
        } else if (row < rows) {
            for (int64_t d = lane; d < desc.head_size; d += kLanes) {
                sum = fmaf(to_float(y[row * desc.head_size + d]), to_float(dy[row * desc.head_size + d]), sum);
            }
        }
        sum = warp_sum<kLanes>(sum);
        if (row >= rows || lane != 0) continue;
        const int64_t token = row / desc.heads;  // of all images
        const int64_t image = token / desc.tokens;
        const Head head = {image, row - token * desc.heads};
        delta[first_token(desc, head) + token - image * desc.tokens] = sum;
    }
}

/// dq of 8 kRows queries, or with kOfKeys dk and dv of 8 kRows keys, with 8 kColumns of the other at a time.
template <class T, int kRows, int kColumns, int kDepth, bool kOfKeys, int kBlocks>
__global__ void __launch_bounds__(kAttentionThreads, (kResidentBlocks<kBlocks>))
    attention_backward_kernel(AttentionBackward<T> a) {
    // Rows: q and dy, or k and v. Columns: k and v, or q and dy.
    __shared__ Quad row_tile[2][2 * kRows * kDepth];
    __shared__ Quad column_tile[2][2 * kColumns * kDepth];
    __shared__ Quad weights[8 * kRows * Weights<kColumns>::kQuads];
    const int64_t tokens = a.desc.tokens;
    const HeadSize size = {static_cast<int>(a.desc.head_size), a.quads};
    const AttentionPlace at;

    const int64_t tiles = (tokens + 8 * kRows - 1) / (8 * kRows);
    const int64_t tasks = tiles * a.desc.heads * a.desc.batch;
    for (int64_t task = blockIdx.x; task < tasks; task += gridDim.x) {
        const int64_t above = task / tiles;
        const int64_t first_row = (task - above * tiles) * 8 * kRows;
        const Head head = {above / a.desc.heads, above % a.desc.heads};
        const HeadRows<const T> queries = qkv_rows(a.desc, a.qkv, head, kQuery);
        const HeadRows<const T> keys = qkv_rows(a.desc, a.qkv, head, kKey);
        const HeadRows<const T> values = qkv_rows(a.desc, a.qkv, head, kValue);
        const HeadRows<const T> gradients = y_rows(a.desc, a.dy, head);
        const float* const log_sum_exp = a.log_sum_exp + first_token(a.desc, head);
        const float* const delta = a.delta + first_token(a.desc, head);
        __syncthreads();  // the tiles of the task before have been read
        load_tile<8 * kRows, kDepth>(kOfKeys ? keys : queries, first_row, tokens, size, row_tile[0]);
        load_tile<8 * kRows, kDepth>(kOfKeys ? values : gradients, first_row, tokens, size, row_tile[1]);

        float row_log_sum_exp[kRows], row_delta[kRows];
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
            const int64_t row = first_row + at.row + 8 * i;
            row_log_sum_exp[i] = !kOfKeys && row < tokens ? log_sum_exp[row] : 0.0f;
            row_delta[i] = !kOfKeys && row < tokens ? delta[row] : 0.0f;
        }
        float sums[kRows][kDepth / 8] = {};                      // dq or dk
        float value_sums[kOfKeys ? kRows : 1][kDepth / 8] = {};  // dv
        for (int64_t first = 0; first < tokens; first += 8 * kColumns) {
            with_groups<kColumns>(tokens - first, [&](auto groups) {
                constexpr int kGroups = decltype(groups)::value;
                __syncthreads();  // the tiles before have been read
                load_tile<8 * kGroups, kDepth>(kOfKeys ? queries : keys, first, tokens, size, column_tile[0]);
                load_tile<8 * kGroups, kDepth>(kOfKeys ? gradients : values, first, tokens, size, column_tile[1]);
                __syncthreads();
                float weight[kRows][kGroups];    // scores, then p
                float gradient[kRows][kGroups];  // dp, then ds
                multiply_rows<kDepth>(row_tile[0], column_tile[0], at, weight);
                multiply_rows<kDepth>(row_tile[1], column_tile[1], at, gradient);
#pragma unroll
                for (int j = 0; j < kGroups; ++j) {
                    const int64_t column = first + at.column + 8 * j;
                    const bool inside = column < tokens;
                    const float column_log_sum_exp = kOfKeys && inside ? log_sum_exp[column] : 0.0f;
                    const float column_delta = kOfKeys && inside ? delta[column] : 0.0f;
#pragma unroll
                    for (int i = 0; i < kRows; ++i) {
                        const float score = weight[i][j] * a.desc.scale;
                        const float p = score_exponential(score - (kOfKeys ? column_log_sum_exp : row_log_sum_exp[i]));
                        const float ds = p * (gradient[i][j] - (kOfKeys ? column_delta : row_delta[i])) * a.desc.scale;
                        weight[i][j] = inside ? p : 0.0f;
                        gradient[i][j] = inside ? ds : 0.0f;
                    }
                }
                if constexpr (kOfKeys) {
                    Weights<kColumns>::write(weight, at, weights);
                    __syncwarp();
                    add_weighted<kDepth, kColumns, kGroups>(weights, column_tile[1], at, value_sums);
                    __syncwarp();
                }
                Weights<kColumns>::write(gradient, at, weights);
                __syncwarp();
                add_weighted<kDepth, kColumns, kGroups>(weights, column_tile[0], at, sums);
            });
        }

        float one[kRows];
#pragma unroll
        for (int i = 0; i < kRows; ++i) one[i] = 1.0f;
        store_rows<kDepth>(sums, one, at, qkv_rows(a.desc, a.dqkv, head, kOfKeys ? kKey : kQuery), first_row, tokens,
                           size);
        if constexpr (kOfKeys) {
            store_rows<kDepth>(value_sums, one, at, qkv_rows(a.desc, a.dqkv, head, kValue), first_row, tokens, size);
        }
    }
}

/// Blocks of a grid for tiles of so many tokens.
unsigned blocks_for(const velu_attention_desc& desc, int64_t tile) {
    const int64_t tasks = (desc.tokens + tile - 1) / tile * desc.heads * desc.batch;
    return static_cast<unsigned>(std::min<int64_t>(tasks, INT32_MAX));
}

template <int kRows, int kColumns, int kDepth, int kBlocks, class T>
void forward_tiles(Context& context, const AttentionForward<T>& arguments) {
    launch(context, attention_forward_kernel<T, kRows, kColumns, kDepth, kBlocks>,
           blocks_for(arguments.desc, 8 * kRows), kAttentionThreads, arguments);
}

template <int kRows, int kColumns, int kDepth, int kKeyBlocks, int kQueryBlocks, class T>
void backward_tiles(Context& context, const AttentionBackward<T>& arguments) {
    const unsigned blocks = blocks_for(arguments.desc, 8 * kRows);
    launch(context, attention_backward_kernel<T, kRows, kColumns, kDepth, true, kKeyBlocks>, blocks, kAttentionThreads,
           arguments);
    launch(context, attention_backward_kernel<T, kRows, kColumns, kDepth, false, kQueryBlocks>, blocks,
           kAttentionThreads, arguments);
}

/// Rows and columns of a thread in tiles as large as 48 KB and the registers of the last number, blocks per
/// multiprocessor, allow. 40 rows also fit the 197 tokens of ViT-B/16 at 224 x 224 pixels, and the 65 at 128 x 128.
template <class T>
void forward(Context& context, const AttentionForward<T>& arguments) {
    const int64_t head_size = arguments.desc.head_size;
    if (head_size <= 32) {
        forward_tiles<5, 8, 32, 6>(context, arguments);
    } else if (head_size <= 64) {
        forward_tiles<5, 8, 64, 6>(context, arguments);
    } else if (head_size <= 96) {
        forward_tiles<4, 4, 96, 6>(context, arguments);
    } else if (head_size <= 128) {
        forward_tiles<4, 4, 128, 6>(context, arguments);
    } else {
        attention_wide_forward(context, arguments);
    }
}

template <class T>
void backward(Context& context, const AttentionBackward<T>& arguments) {
    const int64_t head_size = arguments.desc.head_size;
    if (head_size <= 32) {
        backward_tiles<5, 4, 32, 6, 6>(context, arguments);
    } else if (head_size <= 64) {
        backward_tiles<5, 4, 64, 4, 5>(context, arguments);
    } else if (head_size <= 96) {
        backward_tiles<4, 2, 96, 4, 5>(context, arguments);
    } else if (head_size <= 128) {
        backward_tiles<3, 2, 128, 4, 5>(context, arguments);
    } else {
        attention_wide_backward(context, arguments);
    }
}

size_t delta_bytes(const velu_attention_desc& desc) {
    return static_cast<size_t>(desc.batch * desc.heads * desc.tokens) * sizeof(float);
}

}  // namespace

velu_status attention_prepare(DeviceContext* context, const velu_attention_desc* desc, int32_t pass) {
    return guarded(context, [&](Context& device) {
        if (pass == VELU_PASS_BACKWARD_DATA) device.scratch(delta_bytes(*desc));
    });
}

velu_status attention_forward(DeviceContext* context, const velu_attention_desc* desc, const void* qkv, void* y,
                              float* log_sum_exp) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            const bool quads = desc->head_size % 4 == 0 && aligned_to_16(qkv, y);
            forward(device,
                    AttentionForward<T>{*desc, static_cast<const T*>(qkv), static_cast<T*>(y), log_sum_exp, quads});
        });
    });
}

velu_status attention_backward(DeviceContext* context, const velu_attention_desc* desc, const void* qkv, const void* y,
                               const void* dy, const float* log_sum_exp, void* dqkv) {
    return guarded(context, [&](Context& device) {
        with_element_type(desc->dtype, [&](auto element) {
            using T = decltype(element);
            const bool quads = desc->head_size % 4 == 0 && aligned_to_16(qkv, y, dy, dqkv);
            auto* delta = device.scratch<float>(delta_bytes(*desc));
            launch(device, attention_delta_kernel<T>,
                   grid_for(device, desc->batch * desc->tokens * desc->heads * 8, kDeltaThreads), kDeltaThreads, *desc,
                   quads, static_cast<const T*>(y), static_cast<const T*>(dy), delta);
            backward(device, AttentionBackward<T>{*desc, static_cast<const T*>(qkv), static_cast<const T*>(dy),
                                                  log_sum_exp, delta, static_cast<T*>(dqkv), quads});
        });
    });
}

}  // namespace velu::cuda
