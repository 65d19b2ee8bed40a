// What the stand-ins for cuDNN and cuBLASLt share: they check how they are called as strictly as they can, and compute
// by plain loops as work on a stream of the emulated CUDA (../emulator). Environment variables make them misbehave:
//   FAKE_CUDNN_VERSION=n       cudnnGetVersion() answers n
//   FAKE_CUDNN_GRAPH=reject    the graph API has no engine for anything
//   FAKE_CUDNN_LEGACY=reject   the older API has no algorithm for anything
//   FAKE_CUDNN_STRIDES=reject  the graph API has no engine for tensors whose pixels lie apart
//   FAKE_CUDNN_DWEIGHT=bf16    no engine stores a gradient of weights in float32 from BF16 inputs
//   FAKE_CUDNN_CREATE=fail     cudnnCreate fails
//   FAKE_CUBLAS_LT=reject      there is no algorithm for anything
//   FAKE_TIMES=1               implementations differ in speed, so that a choice by timing is certain
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "../emulator/emulator.h"
#include "cuda/dynlink/cublas_lt.h"
#include "cuda/dynlink/cudnn.h"

#include <unistd.h>

/// cuDNN's handle.
struct velu::cuda::dynlink::cudnnContext {
    cudaStream_t stream = nullptr;
};

namespace fake {

inline bool setting_is(const char* name, const char* value) {
    const char* found = std::getenv(name);
    return found != nullptr && std::strcmp(found, value) == 0;
}

/// Milliseconds of an implementation, if FAKE_TIMES asks for them.
inline void take(int milliseconds) {
    if (milliseconds > 0 && setting_is("FAKE_TIMES", "1")) usleep(static_cast<useconds_t>(milliseconds) * 1000);
}

inline bool aligned(const void* memory, uint64_t bytes) {
    return reinterpret_cast<uintptr_t>(memory) % bytes == 0;
}

enum class Type { kFloat, kBFloat16 };

inline double read(Type type, const void* memory, int64_t index) {
    if (type == Type::kFloat) return static_cast<double>(static_cast<const float*>(memory)[index]);
    const uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t*>(memory)[index]) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return static_cast<double>(value);
}

inline void write(Type type, void* memory, int64_t index, double value) {
    const auto single = static_cast<float>(value);
    if (type == Type::kFloat) {
        static_cast<float*>(memory)[index] = single;
        return;
    }
    uint32_t bits;
    std::memcpy(&bits, &single, sizeof bits);
    const uint32_t rounded = single != single ? bits | 0x400000u : bits + 0x7FFFu + (bits >> 16 & 1u);
    static_cast<uint16_t*>(memory)[index] = static_cast<uint16_t>(rounded >> 16);
}

/// float32 with 10 bits of mantissa.
inline double to_tf32(double value) {
    const auto single = static_cast<float>(value);
    uint32_t bits;
    std::memcpy(&bits, &single, sizeof bits);
    bits = (bits + 0x1000u) & 0xFFFFE000u;
    float result;
    std::memcpy(&result, &bits, sizeof result);
    return static_cast<double>(result);
}

enum class Pass { kForward, kBackwardData, kBackwardWeights };

/// A convolution with everything that its definition needs. Sizes in the order N C H W and K C R S, memory N H W C.
struct Convolution {
    Pass pass;
    int64_t image[4], filter[4], output[4];
    int64_t output_pitch;  // elements from one pixel to the next
    int64_t padding[2], stride[2], dilation[2];
    Type image_type, filter_type, output_type;
    void* image_memory;
    void* filter_memory;
    void* output_memory;
    bool tf32;
    int milliseconds;
    void* workspace;
    int64_t workspace_bytes;

    int64_t groups() const { return image[1] / filter[1]; }
    bool consistent() const {
        bool fits = image[0] == output[0] && filter[0] == output[1] && filter[1] > 0 && image[1] % filter[1] == 0 &&
                    filter[0] % groups() == 0;
        for (int axis = 0; axis < 2; ++axis) {
            const int64_t room = image[2 + axis] + 2 * padding[axis] - dilation[axis] * (filter[2 + axis] - 1) - 1;
            fits = fits && room >= 0 && output[2 + axis] == room / stride[axis] + 1;
        }
        return fits;
    }
    void run() const;
};

/// Runs it as work on a stream. Whether that was possible.
bool enqueue(void* stream, const Convolution& convolution);

/// Counts a call, for the tests: fake_calls in each library.
void count(const char* function);

}  // namespace fake

/// Calls of a function of this library so far.
extern "C" __attribute__((visibility("default"))) int64_t fake_calls(const char* function);
