#include "cuda/copy_rows.h"

#include "cuda/channel_lanes.cuh"
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"

namespace velu::cuda {
namespace {

constexpr int kThreads = ChannelLanes::kThreads;

/// A thread keeps its pack of columns and walks down the rows. Columns from `channels` on become 0. Reads and writes an
/// element each, as bits, with about 2 instructions: limited by memory. lanes are those of the columns written.
template <int N, class Bits>
__global__ void __launch_bounds__(kThreads)
    copy_rows_kernel(ChannelLanes lanes, int64_t rows, int64_t channels, const Bits* __restrict__ x, int64_t x_pitch,
                     Bits* __restrict__ y, int64_t y_pitch) {
    const int lane = static_cast<int>(threadIdx.x) % lanes.lanes;
    const int strip = static_cast<int>(threadIdx.x) / lanes.lanes;
    const int64_t chunk = blockIdx.x % static_cast<unsigned>(lanes.chunks);
    const int64_t vector = chunk * lanes.lanes + lane;
    if (strip >= lanes.strips || vector >= lanes.vectors) return;
    const int64_t column = vector * N;
    const bool is_copied = column < channels;
    const int64_t step = int64_t{gridDim.x / static_cast<unsigned>(lanes.chunks)} * lanes.strips;
    int64_t row = int64_t{blockIdx.x / static_cast<unsigned>(lanes.chunks)} * lanes.strips + strip;
    for (; row < rows; row += step) {
        Pack<Bits, N> pack = {};
        if (is_copied) pack = *reinterpret_cast<const Pack<Bits, N>*>(x + row * x_pitch + column);
        *reinterpret_cast<Pack<Bits, N>*>(y + row * y_pitch + column) = pack;
    }
}

template <class Bits>
void copy_bits(Context& context, int64_t rows, int64_t channels, const void* x, int64_t x_pitch, void* y,
               int64_t y_pitch, int64_t columns) {
    const auto run = [&](auto width) {
        constexpr int kWidth = decltype(width)::value;
        const ChannelLanes lanes = channel_lanes(columns, kWidth);
        const int64_t needed = (rows + lanes.strips - 1) / lanes.strips;
        const int64_t most = std::max<int64_t>(1, int64_t{context.multiprocessors} * 8 / lanes.chunks);
        launch(context, copy_rows_kernel<kWidth, Bits>, static_cast<unsigned>(std::min(needed, most) * lanes.chunks),
               kThreads, lanes, rows, channels, static_cast<const Bits*>(x), x_pitch, static_cast<Bits*>(y), y_pitch);
    };
    constexpr int kPack = kPackSize<Bits>;
    if (aligned_to_16(x, y) && (channels | columns | x_pitch | y_pitch) % kPack == 0) {
        run(Width<kPack>{});
    } else {
        run(Width<1>{});
    }
}

}  // namespace

void copy_rows(Context& context, int32_t dtype, int64_t rows, int64_t channels, const void* x, int64_t x_pitch, void* y,
               int64_t y_pitch, bool zero_rest) {
    const int64_t columns = zero_rest ? y_pitch : channels;
    if (dtype == VELU_DTYPE_BF16) {
        copy_bits<uint16_t>(context, rows, channels, x, x_pitch, y, y_pitch, columns);
    } else {
        copy_bits<uint32_t>(context, rows, channels, x, x_pitch, y, y_pitch, columns);
    }
}

velu_status copy_rows_forward(DeviceContext* context, const velu_copy_rows_desc* desc, const void* x, void* y) {
    return guarded(context, [&](Context& device) {
        copy_rows(device, desc->dtype, desc->rows, desc->channels, x, desc->x_pitch, y, desc->y_pitch,
                  desc->zero_rest == 1);
    });
}

}  // namespace velu::cuda
