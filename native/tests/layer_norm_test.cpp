// Layer normalization against a float64 evaluation of its definition.
#include <algorithm>
#include <vector>

#include "check.h"

using check::Context;
using check::Guarded;
using check::on_every_isa;
using check::test;
using check::test_on_cpu;

namespace {

struct Shape {
    int64_t rows, channels;
};

const Shape kShapes[] = {{1, 1},  {3, 1},   {1, 5},     {2, 31},   {5, 33},   {33, 65},  {70, 197}, {3, 768},
                         {97, 3}, {9, 512}, {40, 1024}, {3, 1028}, {2, 1031}, {2, 4096}, {2, 4100}};

velu_layer_norm_desc describe(const Shape& s, int32_t dtype = VELU_DTYPE_F32) {
    return {check::device(), dtype, s.rows, s.channels, 1e-5f, 0};
}

using Numbers = std::vector<double>;

Numbers widened(const Guarded<float>& values) {
    return {values.data, values.data + values.size};
}

struct Row {
    double mean, inv_std;
};

Row statistics(const double* z, int64_t channels, double eps) {
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < channels; ++c) mean += z[c];
    mean /= static_cast<double>(channels);
    for (int64_t c = 0; c < channels; ++c) variance += (z[c] - mean) * (z[c] - mean);
    return {mean, 1 / std::sqrt(variance / static_cast<double>(channels) + eps)};
}

Numbers reference_forward(const Shape& s, double eps, const Numbers& z, const Numbers& weight, const Numbers& bias) {
    Numbers y(z.size());
    for (size_t i = 0; i < z.size(); ++i) {
        const auto channels = static_cast<size_t>(s.channels);
        const Row row = statistics(&z[i / channels * channels], s.channels, eps);
        y[i] = weight[i % channels] * (z[i] - row.mean) * row.inv_std + bias[i % channels];
    }
    return y;
}

struct Gradients {
    Numbers dz, dweight, dbias;
};

Gradients reference_backward(const Shape& s, double eps, const Numbers& z, const Numbers& weight, const Numbers& dy) {
    const auto channels = static_cast<size_t>(s.channels);
    Gradients result{Numbers(z.size()), Numbers(channels), Numbers(channels)};
    for (size_t start = 0; start < z.size(); start += channels) {
        const Row row = statistics(&z[start], s.channels, eps);
        double gradients = 0, products = 0;
        for (size_t c = 0; c < channels; ++c) {
            const double normalized = (z[start + c] - row.mean) * row.inv_std;
            result.dweight[c] += dy[start + c] * normalized;
            result.dbias[c] += dy[start + c];
            gradients += dy[start + c] * weight[c] / static_cast<double>(channels);
            products += dy[start + c] * weight[c] * normalized / static_cast<double>(channels);
        }
        for (size_t c = 0; c < channels; ++c) {
            const double normalized = (z[start + c] - row.mean) * row.inv_std;
            result.dz[start + c] = (dy[start + c] * weight[c] - gradients - normalized * products) * row.inv_std;
        }
    }
    return result;
}

/// Inputs of one shape, y for results, and the float64 sum of x and residual as float32 rounds it.
struct Case {
    explicit Case(const Shape& s, double mean = 0, double size = 1)
        : shape(s),
          desc(describe(s)),
          x(s.rows * s.channels),
          residual(x.size),
          weight(s.channels),
          bias(s.channels),
          sum(x.size),
          y(x.size),
          mean_of_row(s.rows),
          inv_std(s.rows),
          dy(x.size),
          addend(x.size),
          dx(x.size),
          dweight(s.channels),
          dbias(s.channels) {
        x.fill_uniform(1, mean - size, mean + size);
        residual.fill_uniform(2, -size, size);
        weight.fill_uniform(3, 0.5, 1.5);
        bias.fill_uniform(4);
        dy.fill_uniform(5);
        addend.fill_uniform(6);
    }
    velu_status forward(velu_context* context, bool has_residual) {
        return velu_layer_norm_forward(context, &desc, x, has_residual ? residual.data : nullptr, weight, bias,
                                       has_residual ? sum.data : nullptr, y, mean_of_row, inv_std);
    }
    velu_status backward(velu_context* context, const float* z, const float* dz_addend) {
        return velu_layer_norm_backward(context, &desc, z, dy, dz_addend, weight, mean_of_row, inv_std, dx, dweight,
                                        dbias);
    }
    Shape shape;
    velu_layer_norm_desc desc;
    Guarded<float> x, residual, weight, bias, sum, y, mean_of_row, inv_std, dy, addend, dx, dweight, dbias;
};

/// What float32 may lose of a mean, in units of the standard deviation.
double lost(const Row& row) {
    return 2 * std::fabs(row.mean) * 0x1p-24 * row.inv_std;
}

void check_forward(const Case& c, const Guarded<float>& z) {
    const Numbers wide = widened(z);
    const Numbers expected = reference_forward(c.shape, double{c.desc.eps}, wide, widened(c.weight), widened(c.bias));
    for (int64_t i = 0; i < c.y.size; ++i) {
        const int64_t start = i / c.shape.channels * c.shape.channels;
        const Row row = statistics(&wide[static_cast<size_t>(start)], c.shape.channels, double{c.desc.eps});
        const double value = expected[static_cast<size_t>(i)];
        CHECK_NEAR(c.y[i], value, 2e-6 * (2 + std::fabs(value)) + 2 * lost(row));
    }
    for (int64_t r = 0; r < c.shape.rows; ++r) {
        const Row row =
            statistics(&wide[static_cast<size_t>(r * c.shape.channels)], c.shape.channels, double{c.desc.eps});
        CHECK_NEAR(c.mean_of_row[r], row.mean, 2e-7 * (1 + 1 / row.inv_std + std::fabs(row.mean)));
        CHECK_NEAR(c.inv_std[r], row.inv_std, row.inv_std * (1e-6 + lost(row)));
    }
}

void check_backward(const Case& c, const Guarded<float>& z, bool has_addend) {
    const Gradients expected =
        reference_backward(c.shape, double{c.desc.eps}, widened(z), widened(c.weight), widened(c.dy));
    for (int64_t i = 0; i < c.dx.size; ++i) {
        const double value = expected.dz[static_cast<size_t>(i)];
        const double added = has_addend ? double{c.addend[i]} : 0;
        const double row_scale = double{c.inv_std[i / c.shape.channels]};
        CHECK_NEAR(c.dx[i], value + added, 2e-6 * (1 + row_scale));
    }
    const double rows = std::sqrt(static_cast<double>(c.shape.rows));
    for (int64_t i = 0; i < c.shape.channels; ++i) {
        CHECK_NEAR(c.dweight[i], expected.dweight[static_cast<size_t>(i)], 2e-6 * rows);
        CHECK_NEAR(c.dbias[i], expected.dbias[static_cast<size_t>(i)], 1e-6 * rows);
    }
}

bool same(const Guarded<float>& a, const Guarded<float>& b) {
    return std::memcmp(a.data, b.data, a.bytes) == 0;
}

void copy(const Guarded<float>& from, Guarded<float>& to) {
    std::memcpy(to.data, from.data, from.bytes);
}

float from_half(uint16_t half) {
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t to_half(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return static_cast<uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

/// Makes the numbers bfloat16's own and stores them as such.
void halve(Guarded<float>& values, Guarded<uint16_t>& halves) {
    for (int64_t i = 0; i < values.size; ++i) {
        halves[i] = to_half(values[i]);
        values[i] = from_half(halves[i]);
    }
}

void check_halves(const char* what, const Guarded<uint16_t>& actual, const Guarded<float>& expected) {
    for (int64_t i = 0; i < actual.size; ++i) {
        const double value = double{expected[i]};
        check::near(__FILE__, __LINE__, what, double{from_half(actual[i])}, value, 0x1p-8 * std::fabs(value) + 1e-5);
    }
}

void bfloat16(velu_context* context, const Shape& shape, bool has_residual) {
    Case c(shape);
    Guarded<uint16_t> x(c.x.size), residual(c.x.size), sum(c.x.size), y(c.x.size), dy(c.x.size), addend(c.x.size);
    Guarded<uint16_t> dx(c.x.size);
    halve(c.x, x);
    halve(c.residual, residual);
    halve(c.dy, dy);
    halve(c.addend, addend);
    velu_layer_norm_desc desc = describe(shape, VELU_DTYPE_BF16);
    CHECK_SUCCESS(context,
                  velu_layer_norm_forward(context, &desc, x, has_residual ? residual.data : nullptr, c.weight, c.bias,
                                          has_residual ? sum.data : nullptr, y, c.mean_of_row, c.inv_std));
    Guarded<float> dweight(shape.channels), dbias(shape.channels);
    CHECK_SUCCESS(context, velu_layer_norm_backward(context, &desc, has_residual ? sum.data : x.data, dy, addend,
                                                    c.weight, c.mean_of_row, c.inv_std, dx, dweight, dbias));
    if (has_residual) {
        for (int64_t i = 0; i < c.x.size; ++i) {
            CHECK_EQUAL(sum[i], to_half(c.x[i] + c.residual[i]));
            c.x[i] = from_half(sum[i]);
        }
    }
    CHECK_SUCCESS(context, c.forward(context, false));
    CHECK_SUCCESS(context, c.backward(context, c.x, c.addend));
    check_halves("y", y, c.y);
    check_halves("dx", dx, c.dx);
    for (int64_t i = 0; i < shape.channels; ++i) {
        CHECK_NEAR(dweight[i], c.dweight[i], 1e-5 * (1 + std::fabs(double{c.dweight[i]})));
        CHECK_NEAR(dbias[i], c.dbias[i], 1e-5 * (1 + std::fabs(double{c.dbias[i]})));
    }
}

}  // namespace

int main() {
    on_every_isa("forwardMatchesTheDefinition", [](velu_context* context) {
        for (const Shape& shape : kShapes) {
            Case c(shape);
            CHECK_SUCCESS(context, c.forward(context, false));
            check_forward(c, c.x);
        }
    });
    on_every_isa("forwardNormalizesTheSumThatItStores", [](velu_context* context) {
        for (const Shape& shape : kShapes) {
            Case c(shape);
            CHECK_SUCCESS(context, c.forward(context, true));
            for (int64_t i = 0; i < c.x.size; ++i) CHECK_EQUAL(c.sum[i], c.x[i] + c.residual[i]);
            check_forward(c, c.sum);
        }
    });
    on_every_isa("gradientsMatchTheDefinition", [](velu_context* context) {
        for (const Shape& shape : kShapes) {
            for (const bool has_addend : {false, true}) {
                Case c(shape);
                CHECK_SUCCESS(context, c.forward(context, false));
                CHECK_SUCCESS(context, c.backward(context, c.x, has_addend ? c.addend.data : nullptr));
                check_backward(c, c.x, has_addend);
            }
        }
    });
    test("theDefinitionsGradientsAreThoseOfCentralDifferences", [] {
        const Shape shape = {3, 7};
        const Case c(shape);
        const double eps = double{c.desc.eps};
        const Numbers dy = widened(c.dy);
        const auto loss = [&](const Numbers& z, const Numbers& weight, const Numbers& bias) {
            const Numbers y = reference_forward(shape, eps, z, weight, bias);
            double sum = 0;
            for (size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
            return sum;
        };
        Numbers z = widened(c.x), weight = widened(c.weight), bias = widened(c.bias);
        const Gradients expected = reference_backward(shape, eps, z, weight, dy);
        const auto check_all = [&](Numbers& values, const Numbers& gradients) {
            for (size_t i = 0; i < values.size(); ++i) {
                const double value = values[i];
                values[i] = value + 1e-6;
                const double above = loss(z, weight, bias);
                values[i] = value - 1e-6;
                const double below = loss(z, weight, bias);
                values[i] = value;
                CHECK_NEAR((above - below) / 2e-6, gradients[i], 1e-7);
            }
        };
        check_all(z, expected.dz);
        check_all(weight, expected.dweight);
        check_all(bias, expected.dbias);
    });
    on_every_isa("aMeanFarAboveTheDeviationsDoesNotSpoilThem", [](velu_context* context) {
        for (const Shape& shape : {Shape{5, 33}, Shape{4, 768}}) {
            Case c(shape, 1e4);
            CHECK_SUCCESS(context, c.forward(context, false));
            check_forward(c, c.x);
        }
    });
    on_every_isa("largeValuesDoNotOverflow", [](velu_context* context) {
        Case c({5, 65}, 0, 1e15);
        CHECK_SUCCESS(context, c.forward(context, false));
        check_forward(c, c.x);
    });
    on_every_isa("aRowOfOneValueGivesTheBias", [](velu_context* context) {
        Case c({4, 33});
        std::fill_n(c.x.data, c.x.size, 0.75f);
        CHECK_SUCCESS(context, c.forward(context, false));
        for (int64_t i = 0; i < c.y.size; ++i) CHECK_NEAR(c.y[i], double{c.bias[i % 33]}, 1e-4);
    });
    on_every_isa("aNanSpoilsItsRowOnly", [](velu_context* context) {
        Case c({5, 33});
        c.x[2 * 33 + 32] = std::nanf("");
        CHECK_SUCCESS(context, c.forward(context, false));
        for (int64_t i = 0; i < c.y.size; ++i) CHECK_EQUAL(std::isnan(c.y[i]), i / 33 == 2);
        CHECK_EQUAL(std::isnan(c.mean_of_row[2]), true);
        CHECK_EQUAL(std::isnan(c.inv_std[2]), true);
        CHECK_SUCCESS(context, c.backward(context, c.x, nullptr));
        for (int64_t i = 0; i < c.dx.size; ++i) CHECK_EQUAL(std::isnan(c.dx[i]), i / 33 == 2);
    });
    on_every_isa("resultsMayTakeThePlaceOfInputs", [](velu_context* context) {
        for (const Shape& shape : kShapes) {
            Case c(shape);
            CHECK_SUCCESS(context, c.forward(context, true));
            Guarded<float> x(c.x.size), residual(c.x.size), y(c.x.size);
            const auto fresh = [&] {
                copy(c.x, x);
                copy(c.residual, residual);
            };
            const auto run = [&](float* added, float* sum, float* out) {
                CHECK_SUCCESS(context, velu_layer_norm_forward(context, &c.desc, x, added, c.weight, c.bias, sum, out,
                                                               nullptr, nullptr));
            };
            fresh();
            run(residual, x, y);
            CHECK(same(x, c.sum) && same(y, c.y));
            fresh();
            run(residual, residual, y);
            CHECK(same(residual, c.sum) && same(y, c.y));
            fresh();
            run(residual, residual, x);
            CHECK(same(residual, c.sum) && same(x, c.y));
            fresh();
            run(residual, x, residual);
            CHECK(same(x, c.sum) && same(residual, c.y));
            copy(c.sum, x);
            run(nullptr, nullptr, x);
            CHECK(same(x, c.y));

            CHECK_SUCCESS(context, c.backward(context, c.sum, c.addend));
            Guarded<float> dy(c.x.size), addend(c.x.size), dweight(shape.channels), dbias(shape.channels);
            copy(c.dy, dy);
            CHECK_SUCCESS(context, velu_layer_norm_backward(context, &c.desc, c.sum, dy, c.addend, c.weight,
                                                            c.mean_of_row, c.inv_std, dy, dweight, dbias));
            CHECK(same(dy, c.dx) && same(dweight, c.dweight) && same(dbias, c.dbias));
            copy(c.addend, addend);
            CHECK_SUCCESS(context, velu_layer_norm_backward(context, &c.desc, c.sum, c.dy, addend, c.weight,
                                                            c.mean_of_row, c.inv_std, addend, dweight, dbias));
            CHECK(same(addend, c.dx) && same(dweight, c.dweight) && same(dbias, c.dbias));
        }
    });
    test_on_cpu("resultsDoNotDependOnTheThreadCount", "threads are the CPU's", [] {
        Case one({197, 65}), three({197, 65});
        const Context single(1), triple(3);
        CHECK_SUCCESS(single, one.forward(single, true));
        CHECK_SUCCESS(single, one.backward(single, one.sum, one.addend));
        CHECK_SUCCESS(triple, three.forward(triple, true));
        CHECK_SUCCESS(triple, three.backward(triple, three.sum, three.addend));
        CHECK(same(one.y, three.y) && same(one.dx, three.dx));
        CHECK(same(one.dweight, three.dweight) && same(one.dbias, three.dbias));
    });
    test("gradientsOfNoRowsAreZeros", [] {
        const Context context;
        const velu_layer_norm_desc desc = describe({0, 5});
        Guarded<float> weight(5), dweight(5), dbias(5);
        CHECK_SUCCESS(context, velu_layer_norm_backward(context, &desc, nullptr, nullptr, nullptr, weight, nullptr,
                                                        nullptr, nullptr, dweight, dbias));
        for (int64_t i = 0; i < 5; ++i) CHECK_EQUAL(dweight[i] == 0 && dbias[i] == 0, true);
        CHECK_SUCCESS(context, velu_layer_norm_forward(context, &desc, nullptr, nullptr, nullptr, nullptr, nullptr,
                                                       nullptr, nullptr, nullptr));
    });
    check::test_in_bfloat16("bfloat16IsTheRoundedFloat32", [] {
        const Context context;
        for (const Shape& shape : kShapes) {
            bfloat16(context, shape, false);
            bfloat16(context, shape, true);
        }
    });
    return check::report();
}
