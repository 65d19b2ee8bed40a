#include "cpu/isa/random_kernels.h"

#include "math/normal.h"
#include "math/philox.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

constexpr int kGroup = 64;  // Philox blocks computed side by side
constexpr int kElements = 4 * kGroup;

void copy(const float* values, int64_t count, float* out) {
    for (int64_t i = 0; i < count; ++i) out[i] = values[i];
}

// Writes 4 bytes per element; limited by the 20 multiplications of Philox per 4 elements.
void uniform(const RandomSource& source, int64_t start, int64_t count, float* out) {
    const RandomSource s = source;
    for (int64_t done = 0; done < count; done += kElements) {
        const uint64_t first_block = static_cast<uint64_t>(start + done) / 4;
        float values[kElements];
#pragma omp simd
        for (int i = 0; i < kGroup; ++i) {
            const PhiloxBlock block = random_block(s.seed, s.stream, first_block + static_cast<uint64_t>(i), 0);
            values[4 * i] = strict::scaled_uniform(block.word[0], s.a, s.b, s.high);
            values[4 * i + 1] = strict::scaled_uniform(block.word[1], s.a, s.b, s.high);
            values[4 * i + 2] = strict::scaled_uniform(block.word[2], s.a, s.b, s.high);
            values[4 * i + 3] = strict::scaled_uniform(block.word[3], s.a, s.b, s.high);
        }
        copy(values, count - done < kElements ? count - done : kElements, out + done);
    }
}

// Writes 4 bytes per element; limited by the float64 polynomials of the logarithm and the sine, about 60 operations per
// pair of elements.
void normal(const RandomSource& source, int64_t start, int64_t count, float* out) {
    const RandomSource s = source;
    for (int64_t done = 0; done < count; done += kElements) {
        const uint64_t first_block = static_cast<uint64_t>(start + done) / 4;
        uint32_t radius_words[2 * kGroup];
        uint32_t angle_words[2 * kGroup];
#pragma omp simd
        for (int i = 0; i < kGroup; ++i) {
            const PhiloxBlock block = random_block(s.seed, s.stream, first_block + static_cast<uint64_t>(i), 0);
            radius_words[2 * i] = block.word[0];
            angle_words[2 * i] = block.word[1];
            radius_words[2 * i + 1] = block.word[2];
            angle_words[2 * i + 1] = block.word[3];
        }
        float values[kElements];
#pragma omp simd
        for (int i = 0; i < 2 * kGroup; ++i) {
            const strict::NormalPair pair = strict::normal_pair(radius_words[i], angle_words[i]);
            values[2 * i] = strict::scaled_normal(pair.first, s.a, s.b);
            values[2 * i + 1] = strict::scaled_normal(pair.second, s.a, s.b);
        }
        copy(values, count - done < kElements ? count - done : kElements, out + done);
    }
}

/// The normal number that element index has at its attempt-th draw.
float redraw(const RandomSource& s, uint64_t index, uint32_t attempt) {
    const PhiloxBlock block = random_block(s.seed, s.stream, index / 4, attempt);
    const bool second_pair = (index & 2) != 0;
    const strict::NormalPair pair =
        strict::normal_pair(block.word[second_pair ? 2 : 0], block.word[second_pair ? 3 : 1]);
    return strict::scaled_normal((index & 1) != 0 ? pair.second : pair.first, s.a, s.b);
}

void truncated_normal(const RandomSource& source, int64_t start, int64_t count, float* out) {
    // With 1 % of the mass inside the bounds all attempts fail with a probability of e^-658; the last one is clamped so
    // that the loop ends for any descriptor.
    constexpr uint32_t kLastAttempt = 65535;
    const RandomSource s = source;
    normal(s, start, count, out);
    for (int64_t i = 0; i < count; ++i) {
        float value = out[i];
        for (uint32_t attempt = 1; !(value >= s.low && value <= s.high) && attempt <= kLastAttempt; ++attempt) {
            value = redraw(s, static_cast<uint64_t>(start + i), attempt);
        }
        out[i] = value < s.low ? s.low : value > s.high ? s.high : value;
    }
}

}  // namespace

extern const RandomKernels random_kernels = {uniform, normal, truncated_normal};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
