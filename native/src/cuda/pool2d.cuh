// What the kernels of max and average pooling share: a thread has one pixel and a pack of its channels.
#pragma once

#include "cuda/elementwise.cuh"
#include "math/pool2d.h"

namespace velu::cuda {

inline constexpr int kPoolThreads = 256;

/// A place in an NHWC tensor: an image's pixel and the first of a pack of channels.
struct PoolSite {
    int64_t pixel;  // of all images
    int64_t image;
    int64_t row;
    int64_t column;
    int64_t channel;
};

/// The index-th pack of N channels of images of height x width pixels. Three divisions: for indices below 2^32 about 25
/// instructions each.
template <int N>
__device__ __forceinline__ PoolSite pool_site(int64_t index, int64_t height, int64_t width, int64_t channels) {
    const int64_t packs = channels / N;
    const int64_t pixel = index / packs;
    const int64_t line = pixel / width;
    const int64_t image = line / height;
    return {pixel, image, line - image * height, pixel - line * width, (index - pixel * packs) * N};
}

/// Calls body(Width<N>{}) with the channels per thread: a pack of 16 bytes where the channels divide and every pointer
/// and the pitch of y allow it, else one.
template <class T, class Body>
void with_pool_width(int64_t channels, int64_t y_pitch, bool aligned, const Body& body) {
    if (aligned && channels % kPackSize<T> == 0 && y_pitch % kPackSize<T> == 0) {
        body(Width<kPackSize<T>>{});
    } else {
        body(Width<1>{});
    }
}

}  // namespace velu::cuda
