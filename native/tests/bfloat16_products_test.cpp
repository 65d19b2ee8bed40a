// Convolutions and linear layers in bfloat16 against themselves in float32, on the same inputs, all of them bfloat16
// numbers: a bfloat16 result is the float32 result rounded, a float32 one (gradients of parameters) the same up to the
// order of summation. The float32 results have tests of their own.
#include <array>
#include <cmath>
#include <string>

#include "activation_value.h"
#include "check.h"

using check::Context;
using check::Guarded;
using check::test;

namespace {

float widened(uint16_t half) {
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/// The same bfloat16 numbers in both types, in memory that misses the alignment of 16 bytes by one element if asked to.
struct Numbers {
    explicit Numbers(int64_t count, bool misalign)
        : floats(count, misalign ? sizeof(float) : 0), halves(count, misalign ? sizeof(uint16_t) : 0) {}

    Numbers& fill(uint64_t seed) {
        floats.fill_uniform(seed);
        for (int64_t i = 0; i < floats.size; ++i) {
            uint32_t bits;
            std::memcpy(&bits, &floats[i], sizeof bits);
            halves[i] = static_cast<uint16_t>(bits >> 16);
            floats[i] = widened(halves[i]);
        }
        return *this;
    }
    void* of(int32_t dtype) {
        return dtype == VELU_DTYPE_BF16 ? static_cast<void*>(halves.data) : static_cast<void*>(floats.data);
    }

    Guarded<float> floats;
    Guarded<uint16_t> halves;
};

/// Error that the order of a float32 sum may make, for sums of up to a thousand products of numbers in [-1, 1).
constexpr double kOrder = 1e-4;

void check_rounded(const char* what, const Numbers& results) {
    for (int64_t i = 0; i < results.floats.size; ++i) {
        const auto exact = static_cast<double>(results.floats[i]);
        const auto actual = static_cast<double>(widened(results.halves[i]));
        // A library may round twice: the product, and that plus the bias (at most 1).
        if (std::fabs(actual - exact) <= kOrder + (2 * std::fabs(exact) + 1) * 0x1p-8) continue;
        check::fail(__FILE__, __LINE__,
                    std::string(what) + " at " + std::to_string(i) + " is " + std::to_string(actual) + ", not " +
                        std::to_string(exact));
    }
}

/// rounding: the relative error that is allowed besides that of the order.
void check_same(const char* what, const Guarded<float>& actual, const Guarded<float>& expected, double rounding = 0) {
    for (int64_t i = 0; i < actual.size; ++i) {
        const auto exact = static_cast<double>(expected[i]);
        const auto value = static_cast<double>(actual[i]);
        if (std::fabs(value - exact) <= kOrder + rounding * std::fabs(exact)) continue;
        check::fail(__FILE__, __LINE__,
                    std::string(what) + " at " + std::to_string(i) + " is " + std::to_string(value) + ", not " +
                        std::to_string(exact));
    }
}

struct Shape {
    int64_t batch, height, width, in, out;
    int32_t kernel, stride, padding, dilation, groups;
};

const Shape kShapes[] = {
    {2, 5, 7, 32, 16, 1, 1, 0, 1, 1},     {2, 9, 6, 16, 24, 3, 1, 1, 1, 1},   {1, 9, 9, 3, 17, 3, 2, 1, 1, 1},
    {2, 7, 7, 12, 18, 3, 1, 1, 1, 3},     {2, 9, 10, 32, 32, 3, 1, 1, 1, 32}, {1, 11, 9, 40, 40, 5, 2, 2, 1, 40},
    {2, 8, 7, 33, 33, 3, 1, 1, 1, 33},    {1, 9, 9, 12, 12, 3, 3, 1, 1, 12},  {1, 12, 12, 24, 24, 3, 1, 2, 2, 24},
    {1, 9, 9, 288, 288, 3, 2, 1, 1, 288}, {3, 4, 5, 8, 8, 7, 1, 3, 1, 8},     {2, 4, 4, 48, 40, 1, 1, 0, 1, 1},
    {2, 9, 8, 48, 40, 1, 2, 0, 1, 1},     {2, 8, 8, 48, 40, 3, 2, 1, 1, 1},   {3, 4, 4, 32, 17, 3, 1, 2, 2, 1},
};

/// rest: elements between the pixels of y and dy.
void all_passes(velu_context* context, const Shape& s, int32_t activation, int64_t rest, bool misalign) {
    velu_conv2d_desc desc = {check::device(), VELU_DTYPE_F32, s.batch,    s.height, s.width,    s.in,
                             s.out,           s.kernel,       s.kernel,   s.stride, s.stride,   s.padding,
                             s.padding,       s.dilation,     s.dilation, s.groups, activation, s.out + rest};
    const auto windows = [&](int64_t in) {
        return (in + 2 * s.padding - s.dilation * (s.kernel - 1) - 1) / s.stride + 1;
    };
    const int64_t weights = s.out * s.kernel * s.kernel * (s.in / s.groups);
    Numbers x(s.batch * s.height * s.width * s.in, misalign), weight(weights, misalign);
    Numbers y(s.batch * windows(s.height) * windows(s.width) * desc.y_pitch, misalign);
    Numbers dx(x.floats.size, misalign), dy(y.floats.size, misalign);
    Guarded<float> bias(s.out);
    Guarded<float> dweight[2] = {Guarded<float>(weights), Guarded<float>(weights)};
    Guarded<float> dbias[2] = {Guarded<float>(s.out), Guarded<float>(s.out)};
    x.fill(1);
    weight.fill(2);
    dy.fill(3);
    bias.fill_uniform(4);
    for (const int32_t dtype : {VELU_DTYPE_F32, VELU_DTYPE_BF16}) {
        desc.dtype = dtype;
        CHECK_SUCCESS(context, velu_conv2d_forward(context, &desc, x.of(dtype), weight.of(dtype), bias, y.of(dtype)));
        CHECK_SUCCESS(context, velu_conv2d_backward_data(context, &desc, dy.of(dtype), weight.of(dtype), dx.of(dtype)));
        CHECK_SUCCESS(context, velu_conv2d_backward_weights(context, &desc, x.of(dtype), dy.of(dtype), dweight[dtype],
                                                            dbias[dtype]));
    }
    check_rounded("y", y);
    check_rounded("dx", dx);
    // A library's gradient of the weights may be faster in bfloat16: it is then rounded once.
    char name[128] = "";
    CHECK_SUCCESS(context, velu_impl_name(context, "conv2d_backward_weights", &desc, name, sizeof name));
    const double rounding = std::strncmp(name, "cudnn", 5) == 0 ? 0x1p-8 : 0;
    check_same("dweight", dweight[VELU_DTYPE_BF16], dweight[VELU_DTYPE_F32], rounding);
    check_same("dbias", dbias[VELU_DTYPE_BF16], dbias[VELU_DTYPE_F32]);
}

void all_passes_of_linear(velu_context* context, int64_t rows, int64_t in, int64_t out, int32_t activation,
                          bool misalign) {
    velu_linear_desc desc = {check::device(), VELU_DTYPE_F32, rows, in, out, activation, 0};
    Numbers x(rows * in, misalign), weight(out * in, misalign), y(rows * out, misalign);
    Numbers dx(rows * in, misalign), dy(rows * out, misalign);
    Guarded<float> bias(out);
    Guarded<float> dweight[2] = {Guarded<float>(out * in), Guarded<float>(out * in)};
    Guarded<float> dbias[2] = {Guarded<float>(out), Guarded<float>(out)};
    x.fill(1);
    weight.fill(2);
    dy.fill(3);
    bias.fill_uniform(4);
    for (const int32_t dtype : {VELU_DTYPE_F32, VELU_DTYPE_BF16}) {
        desc.dtype = dtype;
        CHECK_SUCCESS(context, velu_linear_forward(context, &desc, x.of(dtype), weight.of(dtype), bias, y.of(dtype)));
        CHECK_SUCCESS(context, velu_linear_backward_data(context, &desc, dy.of(dtype), weight.of(dtype), dx.of(dtype)));
        CHECK_SUCCESS(context, velu_linear_backward_weights(context, &desc, x.of(dtype), dy.of(dtype), dweight[dtype],
                                                            dbias[dtype]));
    }
    check_rounded("y", y);
    check_rounded("dx", dx);
    check_same("dweight", dweight[VELU_DTYPE_BF16], dweight[VELU_DTYPE_F32]);
    check_same("dbias", dbias[VELU_DTYPE_BF16], dbias[VELU_DTYPE_F32]);
}

}  // namespace

int main() {
    if (const std::string why = check::bfloat16_refusal(); !why.empty()) {
        std::fprintf(stderr, "skip: %s\n", why.c_str());
        return EXIT_SUCCESS;
    }
    for (const bool misalign : {false, true}) {
        const std::string where = misalign ? " (memory aligned to elements only)" : "";
        test(("convolutionInBfloat16IsTheRoundedOneInFloat32" + where).c_str(), [&] {
            const Context context;
            for (const Shape& shape : kShapes) {
                const auto index = static_cast<size_t>(&shape - kShapes);
                all_passes(context, shape, VELU_ACTIVATION_IDENTITY, 0, misalign);
                all_passes(context, shape, kFusedActivations[index % std::size(kFusedActivations)],
                           index % 2 == 0 ? 8 : 3, misalign);
            }
        });
        test(("aNanComesThroughEveryActivation" + where).c_str(), [&] {
            const Context context;
            for (const Shape& s : {kShapes[0], kShapes[1], kShapes[4], kShapes[11]}) {
                for (const int32_t activation : kFusedActivations) {
                    const velu_conv2d_desc desc = {
                        check::device(), VELU_DTYPE_BF16, s.batch,    s.height, s.width,    s.in,
                        s.out,           s.kernel,        s.kernel,   s.stride, s.stride,   s.padding,
                        s.padding,       s.dilation,      s.dilation, s.groups, activation, 0};
                    Numbers x(s.batch * s.height * s.width * s.in, misalign);
                    Numbers weight(s.out * s.kernel * s.kernel * (s.in / s.groups), misalign);
                    Numbers y(s.batch * s.height * s.width * s.out, misalign);
                    x.fill(1);
                    weight.fill(2);
                    x.halves[0] = 0x7FC0;
                    CHECK_SUCCESS(context,
                                  velu_conv2d_forward(context, &desc, x.halves, weight.halves, nullptr, y.halves));
                    CHECK(std::isnan(widened(y.halves[0])));
                }
            }
        });
        test(("linearInBfloat16IsTheRoundedOneInFloat32" + where).c_str(), [&] {
            const Context context;
            for (const auto& [rows, in, out] :
                 {std::array<int64_t, 3>{1, 1, 1}, {33, 31, 7}, {64, 64, 80}, {700, 24, 16}, {5, 200, 66}}) {
                for (const int32_t activation : kFusedActivations) {
                    all_passes_of_linear(context, rows, in, out, activation, misalign);
                }
            }
        });
    }
    return check::report();
}
