// Vector kernels of velu_random_fill.
#pragma once

#include <cstdint>

#include "cpu/isa/select.h"

namespace velu::cpu {

/// What one call draws; fields as in velu_random_desc.
struct RandomSource {
    uint64_t seed;
    uint64_t stream;
    float a;
    float b;
    float low;
    float high;
};

struct RandomKernels {
    /// Each writes the elements start .. start + count - 1 to out[0 .. count - 1]; start is a multiple of 4.
    /// UNIFORM: low is not read; high is the largest float32 below b, or a if a = b.
    void (*uniform)(const RandomSource& source, int64_t start, int64_t count, float* out);
    void (*normal)(const RandomSource& source, int64_t start, int64_t count, float* out);
    void (*truncated_normal)(const RandomSource& source, int64_t start, int64_t count, float* out);
};
VELU_ISA_SELECT(RandomKernels, random_kernels)

}  // namespace velu::cpu
