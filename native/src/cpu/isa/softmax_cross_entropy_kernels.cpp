#include "cpu/isa/softmax_cross_entropy_kernels.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

// Sixteen lanes whatever the instruction set, so that a sum has one order and one result.
constexpr int kLanes = 16;
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));
typedef uint16_t Halves __attribute__((vector_size(kLanes * sizeof(uint16_t))));
typedef uint32_t Words __attribute__((vector_size(kLanes * sizeof(uint32_t))));

void load(const float* from, Lanes& to) {
    __builtin_memcpy(&to, from, sizeof to);
}
void load(const BFloat16* from, Lanes& to) {
    Halves bits;
    __builtin_memcpy(&bits, from, sizeof bits);
    const Words words = __builtin_convertvector(bits, Words) << 16;
    __builtin_memcpy(&to, &words, sizeof to);
}

/// exp(x) for any x: relative error below 2e-7, 0 below -87.7, +inf above 88.4, NaN for NaN.
/// exp(x) = 2^n exp(r), |r| <= log(2)/2; log(2) in two parts so that n log(2) is exact in the first, and Cephes'
/// polynomial.
inline __attribute__((always_inline)) float exponential(float x) {
    constexpr float kRound = 0x1.8p23f;  // adding it rounds to an integer, which then stands in the low bits
    // n ends at -127 and 128, whose scales are 0 and +inf.
    const float bounded = x < -88.0f ? -88.0f : x;
    const float sum = bounded * 0x1.715476p0f + kRound;
    const float shifted = sum > kRound + 128.0f ? kRound + 128.0f : sum;
    const float n = shifted - kRound;
    const float r = (bounded - n * 0.693359375f) - n * -2.12194440e-4f;
    float series = 1.9875691500e-4f;
    series = series * r + 1.3981999507e-3f;
    series = series * r + 8.3334519073e-3f;
    series = series * r + 4.1665795894e-2f;
    series = series * r + 1.6666665459e-1f;
    series = series * r + 5.0000001201e-1f;
    const float exp_r = series * (r * r) + r + 1.0f;
    const uint32_t exponent = __builtin_bit_cast(uint32_t, shifted) - __builtin_bit_cast(uint32_t, kRound) + 127u;
    return exp_r * __builtin_bit_cast(float, exponent << 23);
}

template <class T>
float maximum_of(const T* logits, int64_t classes) {
    Lanes lanes = Lanes{} - __builtin_inff();
    int64_t i = 0;
    for (; i + kLanes <= classes; i += kLanes) {
        Lanes values;
        load(logits + i, values);
        lanes = values > lanes ? values : lanes;
    }
    float maximum = -__builtin_inff();
    for (int lane = 0; lane < kLanes; ++lane) maximum = lanes[lane] > maximum ? lanes[lane] : maximum;
    for (; i < classes; ++i) {
        const float value = value_of(logits[i]);
        maximum = value > maximum ? value : maximum;
    }
    return maximum;
}

template <class T>
double sum_of(const T* values, int count) {
    Lanes lanes = {};
    int i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        Lanes next;
        load(values + i, next);
        lanes += next;
    }
    double sum = 0;
    for (int lane = 0; lane < kLanes; ++lane) sum += static_cast<double>(lanes[lane]);
    for (; i < count; ++i) sum += static_cast<double>(value_of(values[i]));
    return sum;
}

// Reads a row twice, the second time from the cache; about 20 operations per element. Chunks are summed in float32 and
// added up in float64.
template <class T>
void row_sums(const T* logits, int64_t classes, LogitSums* sums) {
    constexpr int64_t kChunk = 256;
    const float maximum = maximum_of(logits, classes);
    double exp_sum = 0;
    double logit_sum = 0;
    for (int64_t first = 0; first < classes; first += kChunk) {
        const int n = static_cast<int>(classes - first < kChunk ? classes - first : kChunk);
        const T* z = logits + first;
        float exps[kChunk];
#pragma omp simd
        for (int i = 0; i < n; ++i) exps[i] = exponential(value_of(z[i]) - maximum);
        exp_sum += sum_of(exps, n);
        logit_sum += sum_of(z, n);
    }
    sums->maximum = maximum;
    sums->exp_sum = exp_sum;
    sums->logit_sum = logit_sum;
}

// Reads and writes each element once; about 20 operations. A target's element is rounded after its whole sum.
template <class T>
void row_gradient(const T* logits, int64_t classes, float log_sum_exp, float share, float scale,
                  const RowTargets& targets, T* dlogits) {
    const auto gradient = [=](T logit) __attribute__((always_inline)) {
        return (exponential(value_of(logit) - log_sum_exp) - share) * scale;
    };
#pragma omp simd
    for (int64_t i = 0; i < classes; ++i) put(gradient(logits[i]), dlogits + i);
    float of_label = gradient(logits[targets.label]) - targets.label_share * scale;
    if (targets.other == targets.label) {
        of_label -= targets.other_share * scale;
    } else if (targets.other >= 0) {
        put(gradient(logits[targets.other]) - targets.other_share * scale, dlogits + targets.other);
    }
    put(of_label, dlogits + targets.label);
}

}  // namespace

extern const ByElement<SoftmaxCrossEntropyKernels> softmax_cross_entropy_kernels = {
    {row_sums<float>, row_gradient<float>},
    {row_sums<BFloat16>, row_gradient<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
