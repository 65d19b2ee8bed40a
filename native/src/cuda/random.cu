// Random numbers from counters: element i depends on the seed, the stream and i only, and has the same bits as on the
// CPU.
#include "cuda/elementwise.cuh"
#include "cuda/operations.h"
#include "math/normal.h"
#include "math/philox.h"

#include <cmath>

namespace velu::cuda {
namespace {

/// Parameters of a distribution as in velu_random_desc; for UNIFORM, high is the largest float32 below b.
struct RandomSource {
    uint64_t seed;
    uint64_t stream;
    float a;
    float b;
    float low;
    float high;
};

struct Uniform {
    static __device__ __forceinline__ void draw(const RandomSource& s, uint64_t block, float (&value)[4]) {
        const PhiloxBlock words = random_block(s.seed, s.stream, block, 0);
#pragma unroll
        for (int i = 0; i < 4; ++i) value[i] = strict::scaled_uniform(words.word[i], s.a, s.b, s.high);
    }
};

struct Normal {
    static __device__ __forceinline__ void draw(const RandomSource& s, uint64_t block, float (&value)[4]) {
        draw_attempt(s, block, 0, value);
    }
    static __device__ __forceinline__ void draw_attempt(const RandomSource& s, uint64_t block, uint32_t attempt,
                                                        float (&value)[4]) {
        const PhiloxBlock words = random_block(s.seed, s.stream, block, attempt);
#pragma unroll
        for (int pair = 0; pair < 2; ++pair) {
            const strict::NormalPair z = strict::normal_pair(words.word[2 * pair], words.word[2 * pair + 1]);
            value[2 * pair] = strict::scaled_normal(z.first, s.a, s.b);
            value[2 * pair + 1] = strict::scaled_normal(z.second, s.a, s.b);
        }
    }
};

struct TruncatedNormal {
    static __device__ __forceinline__ void draw(const RandomSource& s, uint64_t block, float (&value)[4]) {
        // With 1 % of the mass inside the bounds all attempts fail with a probability of e^-658; the last one is
        // clamped so that the loop ends for any descriptor.
        constexpr uint32_t kLastAttempt = 65535;
        Normal::draw_attempt(s, block, 0, value);
        for (uint32_t attempt = 1; attempt <= kLastAttempt; ++attempt) {
            bool inside = true;
#pragma unroll
            for (int i = 0; i < 4; ++i) inside = inside && value[i] >= s.low && value[i] <= s.high;
            if (inside) return;
            float again[4];
            Normal::draw_attempt(s, block, attempt, again);
#pragma unroll
            for (int i = 0; i < 4; ++i) value[i] = value[i] >= s.low && value[i] <= s.high ? value[i] : again[i];
        }
#pragma unroll
        for (int i = 0; i < 4; ++i) value[i] = value[i] < s.low ? s.low : value[i] > s.high ? s.high : value[i];
    }
};

// Writes 4 bytes per element, so a budget of 27 instructions. Uniform numbers take about 25 (Philox 20); normal ones
// about 40 in float64 besides, the polynomials of the logarithm, the sine and the cosine, which are the limit. A thread
// computes the four elements of a Philox block; parameters are drawn once per training, so nothing is saved for it.
template <class Distribution, bool kAligned>
__global__ void __launch_bounds__(kElementwiseThreads) random_kernel(RandomSource source, float* out, int64_t count) {
    const int64_t blocks = (count + 3) / 4;
    for (int64_t block = thread_index(); block < blocks; block += thread_count()) {
        float value[4];
        Distribution::draw(source, static_cast<uint64_t>(block), value);
        const int64_t first = block * 4;
        if (kAligned && first + 4 <= count) {
            store(value, out + first);
        } else {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                if (first + i < count) out[first + i] = value[i];
            }
        }
    }
}

template <class Distribution>
void fill(Context& context, const RandomSource& source, float* out, int64_t count) {
    launch(context, aligned_to_16(out) ? random_kernel<Distribution, true> : random_kernel<Distribution, false>,
           grid_for(context, (count + 3) / 4, kElementwiseThreads), kElementwiseThreads, source, out, count);
}

}  // namespace

velu_status random_fill(DeviceContext* context, const velu_random_desc* desc, float* out) {
    return guarded(context, [&](Context& device) {
        RandomSource source = {desc->seed, desc->stream, desc->a, desc->b, desc->low, desc->high};
        switch (desc->distribution) {
            case VELU_DISTRIBUTION_UNIFORM:
                source.high = desc->a < desc->b ? std::nextafter(desc->b, desc->a) : desc->a;
                return fill<Uniform>(device, source, out, desc->count);
            case VELU_DISTRIBUTION_NORMAL:
                return fill<Normal>(device, source, out, desc->count);
            case VELU_DISTRIBUTION_TRUNCATED_NORMAL:
                return fill<TruncatedNormal>(device, source, out, desc->count);
            default:
                throw Failure(VELU_STATUS_INVALID_ARGUMENT,
                              "distribution " + std::to_string(desc->distribution) + " is not a VELU_DISTRIBUTION");
        }
    });
}

}  // namespace velu::cuda
