// The squared Wasserstein-2 distance to the standard normal and its gradient. Sums are float64 in blocks that only the
// shape fixes, joined in order: the same bits on every number of threads.
//
// EMPIRICAL sorts: a pass that makes keys, four of the sort (two for bfloat16), one over the sorted keys that evaluates
// a quantile for each. The closed forms read a once. The gradient is one pass in any case: the quantiles, or means and
// deviations, are what forward saved.
#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/context.h"
#include "cpu/element.h"
#include "cpu/moments.h"
#include "cpu/operations.h"
#include "cpu/radix_sort.h"
#include "math/normal_quantile.h"

namespace velu::cpu {
namespace {

constexpr int64_t kBlock = 16384;

/// Elements of a block that is made of whole stretches.
constexpr int64_t block_of(int64_t length) {
    return length * std::max<int64_t>(1, kBlock / length);
}

constexpr int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/// A finite number near all others, about which sums cancel least.
double shift_of(float value) {
    return std::isfinite(value) ? static_cast<double>(value) : 0.0;
}

/// Hands out parts of a context's scratch memory, each aligned to 64 bytes: once to find the size, once for real.
class Layout {
public:
    explicit Layout(void* memory = nullptr) : memory_(static_cast<unsigned char*>(memory)) {}

    template <class T>
    T* take(int64_t count) {
        auto* part = reinterpret_cast<T*>(memory_ + size_);
        size_ += (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64;
        return part;
    }
    size_t size() const { return size_; }

private:
    unsigned char* memory_;
    size_t size_ = 0;
};

// The key of an element, ordered as it is; of a bfloat16 in 16 bits, which halves the sort.
uint32_t key_of(float element) {
    return math::ordered_key(__builtin_bit_cast(uint32_t, element));
}
uint32_t key_of(BFloat16 element) {
    return math::ordered_key(static_cast<uint32_t>(element.bits) << 16) >> 16;
}
float value_of_key(uint32_t key, float) {
    return __builtin_bit_cast(float, math::bits_of_key(key));
}
float value_of_key(uint32_t key, BFloat16) {
    return __builtin_bit_cast(float, math::bits_of_key(key << 16) & 0xFFFF0000u);
}

void store(const Moments& all, double w2, float* moments) {
    moments[0] = static_cast<float>(all.mean);
    moments[1] = static_cast<float>(math::square_root(all.m2 / all.count));
    moments[2] = static_cast<float>(w2);
}

/// What one block knows of its elements before they are sorted.
struct EmpiricalPart {
    Moments moments;
    uint32_t varying = 0;  // bits that differ from the first element's key
    bool has_nan = false;
};

struct EmpiricalScratch {
    NumberedKey* keys;
    NumberedKey* other;
    uint32_t* counters;
    EmpiricalPart* parts;
    Moments* moments;
    double* squares;

    EmpiricalScratch(Context& context, int64_t count, int64_t blocks) {
        Layout empty;
        lay_out(empty, context, count, blocks);
        Layout layout(context.workspace.reserve(empty.size()));
        lay_out(layout, context, count, blocks);
    }

private:
    void lay_out(Layout& layout, const Context& context, int64_t count, int64_t blocks) {
        keys = layout.take<NumberedKey>(count);
        other = layout.take<NumberedKey>(count);
        counters = layout.take<uint32_t>(radix_sort_counters(context));
        parts = layout.take<EmpiricalPart>(blocks);
        moments = layout.take<Moments>(blocks);
        squares = layout.take<double>(blocks);
    }
};

/// saved may be NULL.
template <class T>
void empirical(Context& context, int64_t count, const T* a, float* saved, float* moments) {
    const int64_t blocks = divide_up(count, kBlock);
    const EmpiricalScratch scratch(context, count, blocks);
    const uint32_t first_key = key_of(a[0]);
    parallel_for(context, blocks, [&](int64_t block) {
        EmpiricalPart part;
        const int64_t start = block * kBlock;
        const int64_t end = std::min(start + kBlock, count);
        const double shift = shift_of(value_of(a[start]));
        double deviations = 0, squares = 0;
        for (int64_t i = start; i < end; ++i) {
            const float value = value_of(a[i]);
            const uint32_t key = key_of(a[i]);
            scratch.keys[i] = {key, static_cast<uint32_t>(i)};
            part.varying |= key ^ first_key;
            part.has_nan |= value != value;
            const double deviation = static_cast<double>(value) - shift;
            deviations += deviation;
            squares += deviation * deviation;
        }
        part.moments = math::moments_of_sums(static_cast<double>(end - start), shift, deviations, squares);
        scratch.parts[block] = part;
    });
    uint32_t varying = 0;
    bool has_nan = false;
    for (int64_t block = 0; block < blocks; ++block) {
        varying |= scratch.parts[block].varying;
        has_nan |= scratch.parts[block].has_nan;
        scratch.moments[block] = scratch.parts[block].moments;
    }
    const Moments all = merge_all(scratch.moments, blocks);
    if (has_nan) {  // it has no place in the order
        constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
        if (saved != nullptr) std::fill(saved, saved + count, kNaN);
        store(all, static_cast<double>(kNaN), moments);
        return;
    }
    const NumberedKey* const sorted =
        radix_sort(context, scratch.keys, scratch.other, count, varying, scratch.counters);
    parallel_for(context, blocks, [&](int64_t block) {
        const int64_t end = std::min((block + 1) * kBlock, count);
        double sum = 0;
        for (int64_t i = block * kBlock; i < end; ++i) {
            const double quantile = math::normal_quantile(i, count);
            const double distance = static_cast<double>(value_of_key(sorted[i].key, T{})) - quantile;
            sum += distance * distance;
            if (saved != nullptr) saved[sorted[i].number] = static_cast<float>(quantile);
        }
        scratch.squares[block] = sum;
    });
    double sum = 0;
    for (int64_t block = 0; block < blocks; ++block) sum += scratch.squares[block];
    store(all, sum / static_cast<double>(count), moments);
}

/// The closed form of every channel, averaged. saved[2][channels] may be NULL.
template <class T>
void per_channel(Context& context, int64_t rows, int64_t channels, const T* a, float* saved, float* moments) {
    const int64_t rows_per_block = std::clamp<int64_t>(kBlock / channels, 256, kBlock);
    const int64_t blocks = divide_up(rows, rows_per_block);
    Layout empty;
    empty.take<Moments>(channels);
    empty.take<double>(blocks * 3 * channels);
    Layout layout(context.workspace.reserve(empty.size()));
    auto* const of_channel = layout.take<Moments>(channels);
    auto* const sums = layout.take<double>(blocks * 3 * channels);  // of each block: shifts, deviations, squares
    parallel_for(context, blocks, [&](int64_t block) {
        double* const shift = sums + block * 3 * channels;
        double* const deviations = shift + channels;
        double* const squares = deviations + channels;
        const int64_t end = std::min((block + 1) * rows_per_block, rows);
        const T* row = a + block * rows_per_block * channels;
        for (int64_t c = 0; c < channels; ++c) shift[c] = shift_of(value_of(row[c]));
        std::fill(deviations, deviations + 2 * channels, 0.0);
        for (int64_t r = block * rows_per_block; r < end; ++r, row += channels) {
            for (int64_t c = 0; c < channels; ++c) {
                const double deviation = static_cast<double>(value_of(row[c])) - shift[c];
                deviations[c] += deviation;
                squares[c] += deviation * deviation;
            }
        }
    });
    constexpr int64_t kChannels = 64;
    parallel_for(context, divide_up(channels, kChannels), [&](int64_t group) {
        const int64_t end = std::min((group + 1) * kChannels, channels);
        for (int64_t c = group * kChannels; c < end; ++c) {
            Moments all;
            for (int64_t block = 0; block < blocks; ++block) {
                const double* const of_block = sums + block * 3 * channels + c;
                const int64_t count = std::min(rows_per_block, rows - block * rows_per_block);
                all = math::merge(all, math::moments_of_sums(static_cast<double>(count), of_block[0],
                                                             of_block[channels], of_block[2 * channels]));
            }
            of_channel[c] = all;
        }
    });
    double w2 = 0;
    Moments all;
    for (int64_t c = 0; c < channels; ++c) {
        const double mean = of_channel[c].mean;
        const double std = math::square_root(of_channel[c].m2 / of_channel[c].count);
        w2 += mean * mean + (std - 1.0) * (std - 1.0);
        if (saved != nullptr) {
            saved[c] = static_cast<float>(mean);
            saved[channels + c] = static_cast<float>(std);
        }
        all = math::merge(all, of_channel[c]);
    }
    store(all, w2 / static_cast<double>(channels), moments);
}

template <class T>
void scale(const Context& context, int64_t count, const T* a, float lambda, T* y) {
    parallel_for(context, divide_up(count, kBlock), [&](int64_t block) {
        const int64_t end = std::min((block + 1) * kBlock, count);
        for (int64_t i = block * kBlock; i < end; ++i) put(lambda * value_of(a[i]), y + i);
    });
}

template <class T>
void forward(Context& context, const velu_wasserstein_desc& desc, const T* a, const float* lambda, T* y, float* saved,
             float* moments) {
    const int64_t count = desc.rows * desc.channels;
    if (desc.kind == VELU_W2_EMPIRICAL) {
        empirical(context, count, a, saved, moments);
    } else if (desc.kind == VELU_W2_PER_CHANNEL) {
        per_channel(context, desc.rows, desc.channels, a, saved, moments);
    } else {
        per_channel(context, count, 1, a, saved, moments);
    }
    // Last, as y may be a.
    if (y != nullptr) scale(context, count, a, lambda == nullptr ? 1.0f : *lambda, y);
}

/// da[i] = lambda dy[i] + w2_gradient(c, i, a[i]) for stretches of `length` elements, the c-th of a stretch each, and
/// dlambda = sum(dy a).
template <class T, class Gradient>
void backward_elements(Context& context, double* sums, int64_t count, int64_t length, const T* a, const T* dy,
                       float lambda, T* da, float* dlambda, const Gradient& w2_gradient) {
    const int64_t block_size = block_of(length);
    const int64_t blocks = divide_up(count, block_size);
    parallel_for(context, blocks, [&](int64_t block) {
        const int64_t end = std::min((block + 1) * block_size, count);
        double sum = 0;
        for (int64_t start = block * block_size; start < end; start += length) {
            const int64_t n = std::min(length, end - start);
            for (int64_t c = 0; c < n; ++c) {
                const int64_t i = start + c;
                const float value = value_of(a[i]);
                const float upstream = dy == nullptr ? 0.0f : value_of(dy[i]);
                if (dy != nullptr) sum += static_cast<double>(upstream) * static_cast<double>(value);
                put(lambda * upstream + w2_gradient(c, i, value), da + i);
            }
        }
        sums[block] = sum;
    });
    if (dlambda == nullptr) return;
    double sum = 0;
    for (int64_t block = 0; block < blocks; ++block) sum += sums[block];
    *dlambda = static_cast<float>(sum);
}

/// offset + slope (a - mean): the gradient of w W2^2 in a channel.
struct Line {
    float offset, slope, mean;
};

template <class T>
void backward(Context& context, const velu_wasserstein_desc& desc, const T* a, const T* dy, const float* lambda,
              const float* saved, T* da, float* dlambda) {
    const int64_t count = desc.rows * desc.channels;
    const auto n = static_cast<double>(count);
    const int64_t channels = desc.kind == VELU_W2_PER_CHANNEL ? desc.channels : 1;
    const int64_t length = channels > 1 ? channels : kBlock;
    Layout empty;
    empty.take<double>(divide_up(count, block_of(length)));
    empty.take<Line>(channels);
    Layout layout(context.workspace.reserve(empty.size()));
    auto* const sums = layout.take<double>(divide_up(count, block_of(length)));
    auto* const lines = layout.take<Line>(channels);
    const auto run = [&](const auto& w2_gradient) {
        backward_elements(context, sums, count, length, a, dy, lambda == nullptr ? 1.0f : *lambda, da, dlambda,
                          w2_gradient);
    };
    if (desc.w2_weight == 0.0f) return run([](int64_t, int64_t, float) { return 0.0f; });
    if (desc.kind == VELU_W2_EMPIRICAL) {
        const auto weight = static_cast<float>(2.0 * static_cast<double>(desc.w2_weight) / n);
        return run([&](int64_t, int64_t i, float value) { return weight * (value - saved[i]); });
    }
    for (int64_t c = 0; c < channels; ++c) {
        const math::W2Gradient w2 = math::w2_gradient(desc.w2_weight, static_cast<double>(saved[c]),
                                                      static_cast<double>(saved[channels + c]), n);
        lines[c] = {static_cast<float>(w2.offset), static_cast<float>(w2.slope), static_cast<float>(w2.mean)};
    }
    const auto of_line = [](const Line& line, float value) { return line.offset + line.slope * (value - line.mean); };
    if (channels > 1) return run([&](int64_t c, int64_t, float value) { return of_line(lines[c], value); });
    const Line line = lines[0];
    run([&](int64_t, int64_t, float value) { return of_line(line, value); });
}

}  // namespace

velu_status wasserstein_forward(DeviceContext* context, const velu_wasserstein_desc* desc, const void* a,
                                const float* lambda, void* y, float* saved, float* moments) {
    return guarded(context, [&]() -> velu_status {
        with_element(desc->dtype, [&]<class T>(T) {
            forward(cpu(context), *desc, static_cast<const T*>(a), lambda, static_cast<T*>(y), saved, moments);
        });
        return VELU_STATUS_SUCCESS;
    });
}

velu_status wasserstein_backward(DeviceContext* context, const velu_wasserstein_desc* desc, const void* a,
                                 const void* dy, const float* lambda, const float* saved, void* da, float* dlambda) {
    return guarded(context, [&]() -> velu_status {
        with_element(desc->dtype, [&]<class T>(T) {
            backward(cpu(context), *desc, static_cast<const T*>(a), static_cast<const T*>(dy), lambda, saved,
                     static_cast<T*>(da), dlambda);
        });
        return VELU_STATUS_SUCCESS;
    });
}

}  // namespace velu::cpu
