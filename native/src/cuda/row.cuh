// How kernels divide x[rows][channels] where a row needs a sum over its channels before its first element can be done.
//
// A row belongs to a team: 2^k neighbouring lanes of a warp where 32 packs of 16 bytes hold it, else a whole block. A
// thread of the team keeps the packs k * (team's size) + (its place in the team), k < kPacks, in registers, so that
// memory is read and written once, with 16 bytes per access and neighbouring threads on neighbouring packs. As a row is
// only 16 or 32 bytes per thread, a thread does kRows rows at once: their loads are in flight together, and the row
// formulas of up to kRows rows are spread over the lanes, one row per lane.
//
// A tile is kRows rows per team; teams of one warp take neighbouring rows. Warps (or blocks) stride over the tiles.
#pragma once

#include <bit>
#include <cstdint>

#include "cuda/context.h"
#include "cuda/element.cuh"
#include "cuda/launch.cuh"

namespace velu::cuda {

struct RowShape {
    int64_t rows;
    int64_t channels;
    int32_t lanes;  // of a team inside a warp
};

/// The kernel that a shape is for, and its launch.
enum class RowKernel {
    kInWarp,       // 1 pack per thread and row, teams of up to 32 lanes
    kInBlock,      // 1 pack, a team is a block of up to 256 threads
    kInLongBlock,  // 2 packs, up to 512 threads (BFloat16: 256)
    kAnyInWarp,    // any number of channels and any alignment: a row is read again for each of its sums, from the cache
    kAnyInBlock
};

struct RowPlan {
    RowKernel kernel;
    RowShape shape;
    unsigned blocks;
    unsigned threads;
};

// Threads of a block: of teams within warps, so few that any multiple of 128 threads per multiprocessor are whole
// blocks; and the most of blocks that are a team, with 1 and with 2 packs per thread (4096 channels).
inline constexpr int kRowThreads = 128;
inline constexpr int kBlockRowThreads = 256;
template <class T>
inline constexpr int kLongRowThreads = 4096 / 2 / kPackSize<T>;

/// Threads per multiprocessor that a kernel's registers allow: of the kernels for teams in warps, and of those for
/// blocks.
struct Resident {
    int in_warps;
    int in_blocks;
};

/// elements: those that a thread holds of x. packed: channels fit whole packs of 16 bytes, and all pointers are aligned
/// to 16 bytes. There are no more blocks than run at once.
template <class T>
RowPlan plan_rows(const Context& context, int64_t rows, int64_t channels, bool packed, int elements,
                  Resident resident) {
    RowPlan plan{};
    plan.shape = {rows, channels, kWarp};
    plan.threads = kRowThreads;
    int tile_rows = 1;    // rows of a tile
    bool in_warp = true;  // or a team is a block
    const int64_t packs = channels / kPackSize<T>;
    const int pack_rows = elements / kPackSize<T>;
    const auto lanes_for = [](int64_t count) {
        return static_cast<int32_t>(std::bit_ceil(static_cast<uint64_t>(std::min<int64_t>(count, kWarp))));
    };
    const auto whole_warps = [](int64_t count) { return static_cast<unsigned>((count + kWarp - 1) / kWarp * kWarp); };
    if (packed && packs <= kWarp) {
        plan.kernel = RowKernel::kInWarp;
        plan.shape.lanes = std::max(lanes_for(packs), pack_rows);  // every row's formulas have a lane of their own
        tile_rows = pack_rows * (kWarp / plan.shape.lanes);
    } else if (packed && packs <= kBlockRowThreads) {
        plan.kernel = RowKernel::kInBlock;
        plan.threads = whole_warps(packs);
        tile_rows = pack_rows;
        in_warp = false;
    } else if (packed && packs <= 2 * kLongRowThreads<T>) {
        plan.kernel = RowKernel::kInLongBlock;
        plan.threads = whole_warps((packs + 1) / 2);
        tile_rows = pack_rows / 2;
        in_warp = false;
    } else if (channels <= 1024) {
        plan.kernel = RowKernel::kAnyInWarp;
        plan.shape.lanes = lanes_for(channels);
        tile_rows = kWarp / plan.shape.lanes;
    } else {
        plan.kernel = RowKernel::kAnyInBlock;
        in_warp = false;
    }
    const int64_t tiles = (rows + tile_rows - 1) / tile_rows;
    const int64_t teams_per_block = in_warp ? plan.threads / kWarp : 1;
    const int64_t needed = (tiles + teams_per_block - 1) / teams_per_block;
    const int threads = in_warp ? resident.in_warps : resident.in_blocks;
    const int64_t most = int64_t{context.multiprocessors} * std::max(1, threads / static_cast<int>(plan.threads));
    plan.blocks = static_cast<unsigned>(std::min(needed, most));
    return plan;
}

/// value[0 .. kRows) of the lanes of one team, summed over `lanes` lanes (a power of two >= kRows): this lane gets the
/// sum of row lane % kRows. Halves of the rows change places first, so that it takes kRows - 1 + log2(lanes / kRows)
/// shuffles, not kRows log2(lanes).
template <int kRows, class Number>
__device__ __forceinline__ Number scattered_sum(Number (&value)[kRows], int lanes) {
#pragma unroll
    for (int half = kRows / 2; half > 0; half /= 2) {
        const bool upper = (threadIdx.x & static_cast<unsigned>(half)) != 0;
#pragma unroll
        for (int i = 0; i < half; ++i) {
            const Number sent = upper ? value[i] : value[i + half];
            const Number kept = upper ? value[i + half] : value[i];
            value[i] = kept + __shfl_xor_sync(kAllLanes, sent, half);
        }
    }
    Number sum = value[0];
    for (int offset = kRows; offset < lanes; offset *= 2) sum += __shfl_xor_sync(kAllLanes, sum, offset);
    return sum;
}

/// This thread's team and the tiles that it does.
template <bool kIsBlock>
class Team {
public:
    static constexpr int kMaxWarps = kLongRowThreads<float> / kWarp;

    __device__ __forceinline__ explicit Team(const RowShape& shape) {
        const int thread = static_cast<int>(threadIdx.x);
        if constexpr (kIsBlock) {
            size = static_cast<int>(blockDim.x);
            place = thread;
            group = 0;
            groups = 1;
            tile = blockIdx.x;
            step = gridDim.x;
        } else {
            size = shape.lanes;
            place = thread & (size - 1);
            groups = kWarp / size;
            group = thread % kWarp / size;
            const int warps = static_cast<int>(blockDim.x) / kWarp;
            tile = int64_t{blockIdx.x} * warps + thread / kWarp;
            step = int64_t{gridDim.x} * warps;
        }
    }

    /// The row that is the i-th of this team in a tile; it may lie past the last one.
    template <int kRows>
    __device__ __forceinline__ int64_t row(int64_t of_tile, int i) const {
        return (of_tile * kRows + i) * groups + group;
    }

    /// The sum over the team of one of kRows values: that of row lane % kRows, the same bits wherever it is given. All
    /// threads of a warp (or, with kIsBlock, the block) call it together.
    template <int kRows, class Number>
    __device__ __forceinline__ Number sum(Number (&value)[kRows]) {
        if constexpr (!kIsBlock) return scattered_sum(value, size);
        // Two arrays by turns: by the second barrier after a call every thread has read what that call wrote.
        __shared__ Number slots[2][kMaxWarps][kRows];
        const int lane = place % kWarp, warp = place / kWarp, warps = size / kWarp;
        const Number of_warp = scattered_sum(value, kWarp);
        turn_ ^= 1;
        if (lane < kRows) slots[turn_][warp][lane] = of_warp;
        __syncthreads();
        Number sum = slots[turn_][0][lane % kRows];
        for (int other = 1; other < warps; ++other) sum += slots[turn_][other][lane % kRows];
        return sum;
    }

    /// A value of the lane that has row i's sums, for all of the team.
    template <class Number>
    __device__ __forceinline__ Number of_row(Number value, int i) const {
        return __shfl_sync(kAllLanes, value, i, kIsBlock ? kWarp : size);
    }

    /// body(row) for every row of this block's tiles, each in one warp.
    template <int kRows, class Body>
    __device__ __forceinline__ void for_rows_by_warps(const RowShape& shape, const Body& body) const {
        const int64_t rows_of_tile = int64_t{kRows} * groups;
        const int64_t first = kIsBlock ? threadIdx.x / kWarp : 0;
        const int64_t stride = kIsBlock ? blockDim.x / kWarp : 1;
        for (int64_t t = tile; t * rows_of_tile < shape.rows; t += step) {
            for (int64_t i = first; i < rows_of_tile; i += stride) {
                const int64_t row = t * rows_of_tile + i;
                if (row < shape.rows) body(row);
            }
        }
    }

    int size;    // threads of the team
    int place;   // of this thread in the team
    int groups;  // teams of a warp
    int group;   // which of them this is
    int64_t tile, step;

private:
    int turn_ = 0;
};

}  // namespace velu::cuda
