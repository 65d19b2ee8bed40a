// How a pass of a convolution is computed, where it is not by the first implementation that oneDNN (3.11) offers. The
// rules are measured: two threads with AVX-512, every layer of ResNet50 and MobileNetV2 at 128 and 32 pixels, operands
// in memory, the reordering of weights included.
#pragma once

#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>

#include "cpu/context.h"
#include "cpu/conv2d_geometry.h"

namespace velu::cpu {

enum class Conv2dMethod {
    kConvolution,
    kProduct,           // one matrix product, the pixels of all images its rows: for 1 x 1
    kProductOfWindows,  // the same, with each pixel's window copied into a row
    kDepthwise,         // this library's kernels for the gradient of a depthwise convolution's weights
    kWinograd           // this library's kernels for 3 x 3
};

Conv2dMethod conv2d_method(const Context& context, const velu_conv2d_desc& desc, int32_t pass);

/// Whether a convolution for inference, its weight packed once, is computed by Winograd's algorithm.
bool packs_winograd(const Context& context, const velu_conv2d_desc& desc);

/// How the name of the implementation that is to be taken begins, or nullptr for oneDNN's first.
const char* preferred_implementation(const velu_conv2d_desc& desc, int32_t pass);

/// make() gives a new primitive descriptor, at oneDNN's first implementation.
template <class Make>
auto choose_implementation(const velu_conv2d_desc& desc, int32_t pass, const Make& make) -> decltype(make()) {
    auto first = make();
    const char* preferred = preferred_implementation(desc, pass);
    // The rules hold for what was measured.
    if (preferred != nullptr && std::strstr(first.impl_info_str(), "avx512") != nullptr && !has_empty_windows(desc)) {
        auto other = make();
        do {
            if (std::strncmp(other.impl_info_str(), preferred, std::strlen(preferred)) == 0) return other;
        } while (other.next_impl());
    }
    avoid_empty_windows(desc, first);
    return first;
}

}  // namespace velu::cpu
