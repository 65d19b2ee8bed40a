#include "cpu/isa/gradient_norm_kernels.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

// Eight lanes whatever the instruction set, so that the sum has one order and one result.
constexpr int kLanes = 8;
typedef float Floats __attribute__((vector_size(kLanes * sizeof(float))));
typedef double Doubles __attribute__((vector_size(kLanes * sizeof(double))));

// Reads 4 bytes per element; limited by memory. Four independent sums hide the latency of the addition. The square of a
// float32 is exact in float64 and cannot overflow.
double sum_of_squares(const float* values, int64_t count) {
    Doubles sum0 = {};
    Doubles sum1 = {};
    Doubles sum2 = {};
    Doubles sum3 = {};
    int64_t i = 0;
    for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
        Floats v[4];
        __builtin_memcpy(v, values + i, sizeof v);
        const Doubles d0 = __builtin_convertvector(v[0], Doubles);
        const Doubles d1 = __builtin_convertvector(v[1], Doubles);
        const Doubles d2 = __builtin_convertvector(v[2], Doubles);
        const Doubles d3 = __builtin_convertvector(v[3], Doubles);
        sum0 += d0 * d0;
        sum1 += d1 * d1;
        sum2 += d2 * d2;
        sum3 += d3 * d3;
    }
    const Doubles sum = (sum0 + sum1) + (sum2 + sum3);
    double total = 0;
    for (int lane = 0; lane < kLanes; ++lane) total += sum[lane];
    for (; i < count; ++i) total += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    return total;
}

}  // namespace

extern const GradientNormKernels gradient_norm_kernels = {sum_of_squares};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
