// Attention of one head. What is multiplied is first copied: heads of many tokens lie so far apart in memory that their
// rows share few sets of the cache. Keys are transposed meanwhile, so that scores are vectors over keys, and bfloat16
// is widened. 4 tokens^2 head_size operations (forward) and 10 (backward) against 4 to 7 elements read or written:
// limited by multiplication.
#include "cpu/isa/attention_kernels.h"

#include "cpu/isa/matrix_product.h"
#include "math/exponential.h"
#include "math/simd.h"

namespace velu::cpu::VELU_ISA_NAMESPACE {
namespace {

using simd::for_each_vector;
using V = simd::Vector;

#define VELU_SWEEP __attribute__((always_inline))

int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/// Hands out pieces of scratch.
struct Scratch {
    float* next;

    RowMatrix matrix(int64_t rows, int64_t width) {
        float* start = next;
        next += rows * width;
        return {start, width};
    }
};

StridedMatrix plain(RowMatrix m) {
    return {m.data, m.row_stride, 1};
}

StridedMatrix transposed(RowMatrix m) {
    return {m.data, 1, m.row_stride};
}

/// to = factor from, with zeros up to the end of to's rows.
template <class T>
void copy(const T* from, int64_t stride, float factor, int64_t rows, int64_t columns, RowMatrix to) {
    for (int64_t row = 0; row < rows; ++row) {
        const T* source = from + row * stride;
        float* target = to.data + row * to.row_stride;
        for_each_vector<V>(columns, [&](int64_t c, auto lanes) VELU_SWEEP {
            lanes.store(lanes.load(source + c, V(0.0f)) * V(factor), target + c);
        });
        for (int64_t c = columns; c < to.row_stride; ++c) target[c] = 0;
    }
}

/// to[column][row] = from[row][column], with zeros up to the end of to's rows.
template <class T>
void copy_transposed(const T* from, int64_t stride, int64_t rows, int64_t columns, RowMatrix to) {
    constexpr int64_t kRows = 16;  // one line of the result; as many lines of from stay in the cache
    int64_t row = 0;
    for (; row + kRows <= rows; row += kRows) {
        const T* source = from + row * stride;
        for (int64_t c = 0; c < columns; ++c) {
            float* target = to.data + c * to.row_stride + row;
#pragma GCC unroll 16
            for (int64_t i = 0; i < kRows; ++i) target[i] = value_of(source[i * stride + c]);
        }
    }
    for (int64_t c = 0; c < columns; ++c) {
        float* target = to.data + c * to.row_stride;
        for (int64_t i = row; i < rows; ++i) target[i] = value_of(from[i * stride + c]);
        for (int64_t i = rows; i < to.row_stride; ++i) target[i] = 0;
    }
}

/// to = factor from, without what pads from's rows.
template <class T>
void copy_back(RowMatrix from, float factor, int64_t rows, int64_t columns, T* to, int64_t stride) {
    for (int64_t row = 0; row < rows; ++row) {
        const float* source = from.data + row * from.row_stride;
        T* target = to + row * stride;
        for_each_vector<V>(columns, [&](int64_t c, auto lanes) VELU_SWEEP {
            lanes.store(lanes.load(source + c, V(0.0f)) * V(factor), target + c);
        });
    }
}

float sum_of(V values) {
    float lanes[V::kLanes];
    values.store(lanes);
    for (int half = V::kLanes / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    }
    return lanes[0];
}

/// Of -inf and the numbers that are not NaN.
float maximum_of(const float* values, int64_t count) {
    V maxima(-__builtin_inff());
    for_each_vector<V>(count, [&](int64_t i, auto lanes)
                                  VELU_SWEEP { maxima = max(lanes.load(values + i, V(-__builtin_inff())), maxima); });
    float lanes[V::kLanes];
    maxima.store(lanes);
    float maximum = lanes[0];
    for (int i = 1; i < V::kLanes; ++i) maximum = lanes[i] > maximum ? lanes[i] : maximum;
    return maximum;
}

/// values = exp(values - shift); returns their sum.
float exponentials(float* values, int64_t count, float shift) {
    V total(0.0f);
    for_each_vector<V>(count, [&](int64_t i, auto lanes) VELU_SWEEP {
        const V value = math::exp_of_nonpositive(lanes.load(values + i, V(shift)) - V(shift), V(0.0f));
        lanes.store(value, values + i);
        total = total + lanes.keep(value, V(0.0f));
    });
    return sum_of(total);
}

template <class T>
void forward(const AttentionHead& head, const T* q, const T* k, const T* v, int64_t first, int64_t last, T* y,
             float* log_sum_exp, float* scratch) {
    const int64_t tokens = head.tokens;
    const int64_t size = head.head_size;
    const AttentionWidths widths(tokens, size);
    Scratch rest{scratch};
    const RowMatrix keys = rest.matrix(size, widths.tokens);  // transposed
    const RowMatrix values = rest.matrix(tokens, widths.size);
    const RowMatrix queries = rest.matrix(kAttentionQueries, widths.size);
    const RowMatrix scores = rest.matrix(kAttentionQueries, widths.tokens);
    const RowMatrix result = rest.matrix(kAttentionQueries, widths.size);
    copy_transposed(k, head.qkv_stride, tokens, size, keys);
    copy(v, head.qkv_stride, 1, tokens, size, values);
    for (int64_t start = first; start < last; start += kAttentionQueries) {
        const int64_t rows = smaller(kAttentionQueries, last - start);
        copy(q + start * head.qkv_stride, head.qkv_stride, head.scale, rows, size, queries);
        multiply(rows, tokens, size, plain(queries), keys, scores);
        float sums[kAttentionQueries];
        for (int64_t row = 0; row < rows; ++row) {
            float* row_scores = scores.data + row * scores.row_stride;
            const float maximum = maximum_of(row_scores, tokens);
            sums[row] = exponentials(row_scores, tokens, maximum);
            if (log_sum_exp != nullptr) {
                log_sum_exp[start + row] =
                    static_cast<float>(static_cast<double>(maximum) + __builtin_log(static_cast<double>(sums[row])));
            }
        }
        multiply(rows, size, tokens, plain(scores), values, result);
        for (int64_t row = 0; row < rows; ++row) {
            const RowMatrix row_result = {result.data + row * result.row_stride, result.row_stride};
            copy_back(row_result, 1 / sums[row], 1, size, y + (start + row) * head.y_stride, head.y_stride);
        }
    }
}

/// With the probabilities p of a row and their gradients dp, given exponentials e = c p: p = e / sum(e) in e's place
/// and the scores' gradient p (dp - sum(p dp)) in dp's. So the gradients of a row's scores sum to zero, however
/// log_sum_exp was rounded.
void score_gradients(float* e, float* dp, int64_t count, float exponential_sum) {
    const V inverse(1 / exponential_sum);
    V products(0.0f);
    for_each_vector<V>(count, [&](int64_t i, auto lanes) VELU_SWEEP {
        const V p = lanes.load(e + i, V(0.0f)) * inverse;
        lanes.store(p, e + i);
        products = mul_add(p, lanes.load(dp + i, V(0.0f)), products);
    });
    const V mean(sum_of(products));
    for_each_vector<V>(count, [&](int64_t i, auto lanes) VELU_SWEEP {
        lanes.store(lanes.load(e + i, V(0.0f)) * (lanes.load(dp + i, V(0.0f)) - mean), dp + i);
    });
}

template <class T>
void backward(const AttentionHead& head, const T* q, const T* k, const T* v, const T* dy, const float* log_sum_exp,
              T* dq, T* dk, T* dv, float* scratch) {
    const int64_t tokens = head.tokens;
    const int64_t size = head.head_size;
    const AttentionWidths widths(tokens, size);
    Scratch rest{scratch};
    const RowMatrix keys = rest.matrix(tokens, widths.size);
    const RowMatrix transposed_keys = rest.matrix(size, widths.tokens);
    const RowMatrix transposed_values = rest.matrix(size, widths.tokens);
    const RowMatrix key_gradients = rest.matrix(tokens, widths.size);
    const RowMatrix value_gradients = rest.matrix(tokens, widths.size);
    const RowMatrix queries = rest.matrix(kAttentionQueries, widths.size);
    const RowMatrix upstream = rest.matrix(kAttentionQueries, widths.size);
    const RowMatrix probabilities = rest.matrix(kAttentionQueries, widths.tokens);
    const RowMatrix gradients = rest.matrix(kAttentionQueries, widths.tokens);
    const RowMatrix query_gradients = rest.matrix(kAttentionQueries, widths.size);
    copy(k, head.qkv_stride, 1, tokens, size, keys);
    copy_transposed(k, head.qkv_stride, tokens, size, transposed_keys);
    copy_transposed(v, head.qkv_stride, tokens, size, transposed_values);
    for (int64_t start = 0; start < tokens; start += kAttentionQueries) {
        const int64_t rows = smaller(kAttentionQueries, tokens - start);
        copy(q + start * head.qkv_stride, head.qkv_stride, head.scale, rows, size, queries);
        copy(dy + start * head.y_stride, head.y_stride, 1, rows, size, upstream);
        multiply(rows, tokens, size, plain(queries), transposed_keys, probabilities);
        multiply(rows, tokens, size, plain(upstream), transposed_values, gradients);
        for (int64_t row = 0; row < rows; ++row) {
            float* scores = probabilities.data + row * probabilities.row_stride;
            const float sum = exponentials(scores, tokens, log_sum_exp[start + row]);
            score_gradients(scores, gradients.data + row * gradients.row_stride, tokens, sum);
        }
        const auto add_or_set = start == 0 ? multiply<false> : multiply<true>;
        add_or_set(tokens, size, rows, transposed(probabilities), upstream, value_gradients);
        add_or_set(tokens, size, rows, transposed(gradients), queries, key_gradients);
        multiply(rows, size, tokens, plain(gradients), keys, query_gradients);
        copy_back(query_gradients, head.scale, rows, size, dq + start * head.qkv_stride, head.qkv_stride);
    }
    copy_back(key_gradients, 1, tokens, size, dk, head.qkv_stride);
    copy_back(value_gradients, 1, tokens, size, dv, head.qkv_stride);
}

}  // namespace

extern const ByElement<AttentionKernels> attention_kernels = {
    {forward<float>, backward<float>},
    {forward<BFloat16>, backward<BFloat16>},
};

}  // namespace velu::cpu::VELU_ISA_NAMESPACE
