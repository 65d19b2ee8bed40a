// Bytes of images to normalized numbers, cropped, padded and mirrored on the way. A byte has 256 values, so each
// channel's results are computed once per call, and a pixel is a table look-up per channel.
#include <algorithm>

#include "cpu/context.h"
#include "cpu/element.h"
#include "cpu/operations.h"

namespace velu::cpu {
namespace {

constexpr int64_t kMaxChannels = 4;

template <class T>
using Table = T[kMaxChannels][256];

/// Where one output image lies in its input image: the three numbers of velu_normalize_image_forward.
struct Placement {
    int64_t top;
    int64_t left;
    bool mirrored;
};

template <class T, int64_t kChannels>
void normalize(const Table<T>& table, const uint8_t* x, T* y, int64_t pixels) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        for (int64_t c = 0; c < kChannels; ++c) y[pixel * kChannels + c] = table[c][x[pixel * kChannels + c]];
    }
}

/// One row of an output image.
template <class T, int64_t kChannels>
void place_row(const velu_normalize_image_desc& desc, const Table<T>& table, const uint8_t* image, Placement at,
               int64_t out_row, T* y) {
    constexpr uint8_t kBlack[kMaxChannels] = {};
    const int64_t row = at.top + out_row;
    const bool inside = row >= 0 && row < desc.height;
    // Columns of the unmirrored row that lie inside the image.
    const int64_t begin = inside ? std::clamp<int64_t>(-at.left, 0, desc.out_width) : desc.out_width;
    const int64_t end = std::clamp<int64_t>(desc.width - at.left, begin, desc.out_width);
    const auto put = [&](int64_t column, const uint8_t* pixel) {
        T* to = y + (at.mirrored ? desc.out_width - 1 - column : column) * kChannels;
        for (int64_t c = 0; c < kChannels; ++c) to[c] = table[c][pixel[c]];
    };
    for (int64_t column = 0; column < begin; ++column) put(column, kBlack);
    for (int64_t column = begin; column < end; ++column) {
        put(column, image + (row * desc.width + at.left + column) * kChannels);
    }
    for (int64_t column = end; column < desc.out_width; ++column) put(column, kBlack);
}

template <class T, int64_t kChannels>
void normalize_all(const Context& context, const velu_normalize_image_desc& desc, const Table<T>& table,
                   const uint8_t* x, const int32_t* placement, T* y) {
    constexpr int64_t kBlock = 16384;  // pixels of a task
    if (placement == nullptr && desc.out_height == desc.height && desc.out_width == desc.width) {
        const int64_t pixels = desc.batch * desc.height * desc.width;
        parallel_for(context, (pixels + kBlock - 1) / kBlock, [&](int64_t block) {
            const int64_t first = block * kBlock;
            normalize<T, kChannels>(table, x + first * kChannels, y + first * kChannels,
                                    std::min(kBlock, pixels - first));
        });
        return;
    }
    const int64_t rows = desc.batch * desc.out_height;
    const int64_t block_rows = std::max<int64_t>(1, kBlock / desc.out_width);
    parallel_for(context, (rows + block_rows - 1) / block_rows, [&](int64_t block) {
        const int64_t last = std::min(rows, (block + 1) * block_rows);
        for (int64_t row = block * block_rows; row < last; ++row) {
            const int64_t image = row / desc.out_height;
            const int32_t* numbers = placement == nullptr ? nullptr : placement + image * 3;
            const Placement at =
                numbers == nullptr ? Placement{0, 0, false} : Placement{numbers[0], numbers[1], numbers[2] != 0};
            place_row<T, kChannels>(desc, table, x + image * desc.height * desc.width * kChannels, at,
                                    row % desc.out_height, y + row * desc.out_width * kChannels);
        }
    });
}

template <class T>
velu_status normalize_image(Context& context, const velu_normalize_image_desc& desc, const uint8_t* x,
                            const int32_t* placement, T* y) {
    auto kernel = normalize_all<T, 1>;
    switch (desc.channels) {
        case 1:
            break;
        case 2:
            kernel = normalize_all<T, 2>;
            break;
        case 3:
            kernel = normalize_all<T, 3>;
            break;
        case kMaxChannels:
            kernel = normalize_all<T, kMaxChannels>;
            break;
        default:
            return context.fail(VELU_STATUS_INVALID_ARGUMENT, "channels is %lld; it must be 1 to 4",
                                static_cast<long long>(desc.channels));
    }
    Table<T> table;
    for (int64_t c = 0; c < desc.channels; ++c) {
        for (int value = 0; value < 256; ++value) {
            put((static_cast<float>(value) / 255.0f - desc.mean[c]) / desc.std[c], &table[c][value]);
        }
    }
    kernel(context, desc, table, x, placement, y);
    return VELU_STATUS_SUCCESS;
}

}  // namespace

velu_status normalize_image_forward(DeviceContext* context, const velu_normalize_image_desc* desc, const uint8_t* x,
                                    const int32_t* placement, void* y) {
    return guarded(context, [&] {
        return with_element(desc->dtype, [&]<class T>(T) {
            return normalize_image(cpu(context), *desc, x, placement, static_cast<T*>(y));
        });
    });
}

}  // namespace velu::cpu
