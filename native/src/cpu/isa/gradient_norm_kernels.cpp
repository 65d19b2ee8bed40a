#include "cpu/isa/gradient_norm_kernels.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

// Eight lanes whatever the instruction set, so that the sum has one order and one result.
constexpr int kLanes = 8;
typedef uint16_t Halves __attribute__((vector_size(kLanes * sizeof(uint16_t))));
typedef uint32_t Words __attribute__((vector_size(kLanes * sizeof(uint32_t))));
typedef float Floats __attribute__((vector_size(kLanes * sizeof(float))));
typedef double Doubles __attribute__((vector_size(kLanes * sizeof(double))));

void load(const float* from, Floats (&to)[4]) {
    __builtin_memcpy(to, from, sizeof to);
}
void load(const BFloat16* from, Floats (&to)[4]) {
    Halves bits[4];
    __builtin_memcpy(bits, from, sizeof bits);
    for (int i = 0; i < 4; ++i) {
        const Words words = __builtin_convertvector(bits[i], Words) << 16;
        __builtin_memcpy(to + i, &words, sizeof words);
    }
}

// Reads each element once; limited by memory. Four independent sums hide the latency of the addition. The square of a
// float32 is exact in float64 and cannot overflow.
template <class T>
double sum_of_squares(const T* values, int64_t count) {
    Doubles sum0 = {};
    Doubles sum1 = {};
    Doubles sum2 = {};
    Doubles sum3 = {};
    int64_t i = 0;
    for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
        Floats v[4];
        load(values + i, v);
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
    for (; i < count; ++i) {
        const auto value = static_cast<double>(value_of(values[i]));
        total += value * value;
    }
    return total;
}

}  // namespace

extern const ByElement<GradientNormKernels> gradient_norm_kernels = {
    {sum_of_squares<float>},
    {sum_of_squares<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
