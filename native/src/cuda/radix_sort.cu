// Three kernels per byte: blocks count the digits of their share of the keys, the counts become starts, and blocks move
// their keys, tile by tile. Reads 16 bytes and writes 8 per key and pass; a key's rank among equal digits of its warp
// takes 8 votes. Which block has which keys depends on count and device, the result on neither.
#include "cuda/radix_sort.h"

#include <algorithm>

#include "cuda/launch.cuh"

namespace velu::cuda {
namespace {

constexpr int kDigits = 256;
constexpr int kThreads = kDigits;  // a thread per digit where digits are added up
constexpr int kWarps = kThreads / kWarp;
constexpr int kSteps = 8;  // keys of a thread in a tile
constexpr int kWarpKeys = kWarp * kSteps;
constexpr int kTile = kThreads * kSteps;

/// Tiles [first, last) of this block.
struct Share {
    int64_t first, last;

    __device__ explicit Share(int64_t count) {
        const int64_t tiles = (count + kTile - 1) / kTile;
        first = tiles * blockIdx.x / gridDim.x;
        last = tiles * (blockIdx.x + 1) / gridDim.x;
    }
};

/// counters[digit][block] = keys of the block's share with the digit.
__global__ void __launch_bounds__(kThreads) count_digits_kernel(const NumberedKey* __restrict__ keys, int64_t count,
                                                                int shift, uint32_t* __restrict__ counters) {
    __shared__ unsigned counts[kDigits];
    counts[threadIdx.x] = 0;
    __syncthreads();
    const Share share(count);
    const int64_t end = share.last * kTile < count ? share.last * kTile : count;
    for (int64_t i = share.first * kTile + threadIdx.x; i < end; i += kThreads) {
        atomicAdd(&counts[keys[i].key >> shift & 0xFFu], 1u);
    }
    __syncthreads();
    counters[int64_t{threadIdx.x} * gridDim.x + blockIdx.x] = counts[threadIdx.x];
}

/// Sum of the numbers of all threads before this one; the sum of all in `total`.
__device__ uint32_t sum_before(uint32_t number, uint32_t& total) {
    __shared__ uint32_t warps[kWarps];
    const unsigned lane = threadIdx.x % kWarp;
    uint32_t sum = number;
#pragma unroll
    for (unsigned offset = 1; offset < kWarp; offset *= 2) {
        const uint32_t before = __shfl_up_sync(kAllLanes, sum, offset);
        if (lane >= offset) sum += before;
    }
    __syncthreads();  // warps may still be read from a sum before
    if (lane == kWarp - 1) warps[threadIdx.x / kWarp] = sum;
    __syncthreads();
    uint32_t of_warps = 0;
    total = 0;
    for (unsigned warp = 0; warp < kWarps; ++warp) {
        if (warp < threadIdx.x / kWarp) of_warps += warps[warp];
        total += warps[warp];
    }
    return of_warps + sum - number;
}

/// A block per digit: counters[digit][...] become sums of those before, and totals[digit] the sum of all.
__global__ void __launch_bounds__(kThreads)
    add_counts_kernel(uint32_t* __restrict__ counters, int blocks, uint32_t* __restrict__ totals) {
    uint32_t* const of_digit = counters + int64_t{blockIdx.x} * blocks;
    uint32_t start = 0;
    for (int first = 0; first < blocks; first += kThreads) {
        const int block = first + static_cast<int>(threadIdx.x);
        uint32_t all = 0;
        const uint32_t before = sum_before(block < blocks ? of_digit[block] : 0, all);
        if (block < blocks) of_digit[block] = start + before;
        start += all;
    }
    if (threadIdx.x == 0) totals[blockIdx.x] = start;
}

/// A warp takes kWarpKeys neighbours of a tile, 32 at a time, so that the order within a warp, of warps, tiles and
/// blocks is that of the keys.
__global__ void __launch_bounds__(kThreads)
    move_keys_kernel(const NumberedKey* __restrict__ keys, NumberedKey* __restrict__ sorted, int64_t count, int shift,
                     const uint32_t* __restrict__ counters, const uint32_t* __restrict__ totals) {
    __shared__ uint32_t of_warps[kWarps][kDigits];
    uint32_t unused = 0;
    // Where the next key of this thread's digit goes.
    uint32_t next = sum_before(totals[threadIdx.x], unused) + counters[int64_t{threadIdx.x} * gridDim.x + blockIdx.x];
    const unsigned warp = threadIdx.x / kWarp;
    const unsigned lanes_before = (1u << threadIdx.x % kWarp) - 1u;
    const Share share(count);
    for (int64_t tile = share.first; tile < share.last; ++tile) {
        for (int w = 0; w < kWarps; ++w) of_warps[w][threadIdx.x] = 0;
        __syncthreads();
        NumberedKey key[kSteps];
        uint32_t rank[kSteps];
#pragma unroll
        for (int step = 0; step < kSteps; ++step) {
            const int64_t i = tile * kTile + warp * kWarpKeys + step * kWarp + threadIdx.x % kWarp;
            const bool is_key = i < count;
            key[step] = is_key ? keys[i] : NumberedKey{0, 0};
            const unsigned digit = key[step].key >> shift & 0xFFu;
            unsigned equals = __ballot_sync(kAllLanes, is_key);
#pragma unroll
            for (int bit = 0; bit < 8; ++bit) {
                const bool is_set = (digit >> bit & 1u) != 0;
                const unsigned set = __ballot_sync(kAllLanes, is_set);
                equals &= is_set ? set : ~set;
            }
            const uint32_t before = of_warps[warp][digit];
            __syncwarp();
            if (is_key && (equals & lanes_before) == 0) {
                of_warps[warp][digit] = before + static_cast<uint32_t>(__popc(equals));
            }
            __syncwarp();
            rank[step] = before + static_cast<uint32_t>(__popc(equals & lanes_before));
        }
        __syncthreads();
        for (int w = 0; w < kWarps; ++w) {
            const uint32_t of_warp = of_warps[w][threadIdx.x];
            of_warps[w][threadIdx.x] = next;
            next += of_warp;
        }
        __syncthreads();
#pragma unroll
        for (int step = 0; step < kSteps; ++step) {
            const int64_t i = tile * kTile + warp * kWarpKeys + step * kWarp + threadIdx.x % kWarp;
            if (i < count) sorted[of_warps[warp][key[step].key >> shift & 0xFFu] + rank[step]] = key[step];
        }
        __syncthreads();
    }
}

int64_t blocks_of(const Context& context, int64_t count) {
    return std::min<int64_t>((count + kTile - 1) / kTile, int64_t{context.multiprocessors} * 8);
}

}  // namespace

int64_t radix_sort_counters(const Context& context, int64_t count) {
    return kDigits * (blocks_of(context, count) + 1);
}

void radix_sort(Context& context, int bytes, NumberedKey* keys, NumberedKey* other, int64_t count, uint32_t* counters) {
    const auto blocks = static_cast<unsigned>(blocks_of(context, count));
    uint32_t* const totals = counters + int64_t{kDigits} * blocks;
    for (int byte = 0; byte < bytes; ++byte) {
        launch(context, count_digits_kernel, blocks, kThreads, keys, count, 8 * byte, counters);
        launch(context, add_counts_kernel, kDigits, kThreads, counters, static_cast<int>(blocks), totals);
        launch(context, move_keys_kernel, blocks, kThreads, keys, other, count, 8 * byte, counters, totals);
        std::swap(keys, other);
    }
}

}  // namespace velu::cuda
