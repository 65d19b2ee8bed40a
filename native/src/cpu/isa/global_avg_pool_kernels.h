// Vector kernels of velu_global_avg_pool.
#pragma once

#include <cstdint>

#include "cpu/element.h"
#include "cpu/isa/select.h"

namespace velu::cpu {

/// Channels of one image that one call of a kernel handles at most.
inline constexpr int64_t kGlobalAvgPoolChannels = 256;

template <class T>
struct GlobalAvgPoolKernels {
    /// Mean over pixels of n <= kGlobalAvgPoolChannels channels. x: n channels of every pixel, `channels` apart; y:
    /// [n].
    void (*forward)(const T* x, int64_t pixels, int64_t channels, int64_t n, T* y);
    /// dy / pixels for the same n channels of every pixel. dy: [n].
    void (*backward)(const T* dy, int64_t pixels, int64_t channels, int64_t n, T* dx);
};
VELU_ISA_SELECT(ByElement<GlobalAvgPoolKernels>, global_avg_pool_kernels)

}  // namespace velu::cpu
