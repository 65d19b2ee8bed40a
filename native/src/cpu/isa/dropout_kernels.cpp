#include "cpu/isa/dropout_kernels.h"

#include "math/philox.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

constexpr int kGroup = 64;  // Philox blocks computed side by side

// Reads and writes each element once; limited by the 20 multiplications of Philox per 4 elements.
template <class T>
void apply(const DropoutMask& mask, int64_t start, int64_t count, const T* x, T* y) {
    const uint64_t seed = mask.seed;
    const uint64_t step = mask.step;
    const uint32_t stream = mask.stream;
    const uint32_t threshold = mask.threshold;
    const float scale = mask.scale;
    for (int64_t done = 0; done < count; done += 4 * kGroup) {
        const uint64_t first_block = static_cast<uint64_t>(start + done) / 4;
        uint32_t words[4 * kGroup];
#pragma omp simd
        for (int i = 0; i < kGroup; ++i) {
            const PhiloxBlock block = dropout_block(seed, stream, step, first_block + static_cast<uint64_t>(i));
            words[4 * i] = block.word[0];
            words[4 * i + 1] = block.word[1];
            words[4 * i + 2] = block.word[2];
            words[4 * i + 3] = block.word[3];
        }
        const int64_t n = count - done < 4 * kGroup ? count - done : 4 * kGroup;
        const T* source = x + done;
        T* destination = y + done;
        // A dropped element is 0 even where x is NaN or infinite: its bits are cleared, not multiplied.
#pragma omp simd
        for (int64_t i = 0; i < n; ++i) {
            const uint32_t kept = words[i] >= threshold ? 0xFFFFFFFFu : 0u;
            const uint32_t scaled = __builtin_bit_cast(uint32_t, value_of(source[i]) * scale);
            put(__builtin_bit_cast(float, scaled& kept), destination + i);
        }
    }
}

// Reads and writes each element once; limited by memory for groups of an image's size, by Philox for small ones.
template <class T>
void apply_to_groups(const DropoutMask& mask, int64_t group, int64_t start, int64_t count, const T* x, T* y) {
    const float scale = mask.scale;
    int64_t decision = start / group;
    int64_t left = group - start % group;  // elements of the group that are still to come
    for (int64_t done = 0; done < count; ++decision, left = group) {
        const int64_t n = left < count - done ? left : count - done;
        const auto block = static_cast<uint64_t>(decision) / 4;
        const PhiloxBlock words = dropout_block(mask.seed, mask.stream, mask.step, block);
        const T* source = x + done;
        T* destination = y + done;
        if (words.word[decision % 4] >= mask.threshold) {
#pragma omp simd
            for (int64_t i = 0; i < n; ++i) put(value_of(source[i]) * scale, destination + i);
        } else {
            for (int64_t i = 0; i < n; ++i) destination[i] = T{};
        }
        done += n;
    }
}

}  // namespace

extern const ByElement<DropoutKernels> dropout_kernels = {
    {apply<float>, apply_to_groups<float>},
    {apply<BFloat16>, apply_to_groups<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
