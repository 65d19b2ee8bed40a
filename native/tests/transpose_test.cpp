// velu_transpose against its definition, bit for bit.
#include "check.h"

using check::Context;
using check::Guarded;

namespace {

struct Size {
    int64_t batch, rows, columns;
};

// Single elements, lines, narrow matrices (images of 1 to 4 channels) and ones whose sides are no multiple of a tile.
constexpr Size kSizes[] = {{1, 1, 1},   {2, 1, 70},  {2, 70, 1},  {2, 3, 5},   {3, 3, 257},  {3, 257, 3},  {2, 4, 64},
                           {2, 8, 9},   {2, 9, 8},   {3, 8, 100}, {3, 100, 8}, {1, 31, 33},  {2, 33, 31},  {2, 32, 32},
                           {1, 64, 96}, {2, 70, 41}, {1, 9, 300}, {1, 300, 9}, {5, 16, 129}, {1, 256, 256}};

velu_transpose_desc transpose(int32_t dtype, const Size& size) {
    return {check::device(), dtype, size.batch, size.rows, size.columns};
}

template <class Word>
void check_definition(int32_t dtype) {
    for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
        Context context(threads);
        for (const Size& size : kSizes) {
            const int64_t count = size.batch * size.rows * size.columns;
            Guarded<Word> x(count, sizeof(Word)), y(count, 3 * sizeof(Word));
            // NaNs with a payload among them: nothing may touch it.
            for (int64_t i = 0; i < count; ++i) x[i] = static_cast<Word>(static_cast<uint32_t>(i) * 2654435761u >> 3);
            const velu_transpose_desc desc = transpose(dtype, size);
            CHECK_SUCCESS(context, velu_transpose_forward(context, &desc, x, y));
            for (int64_t b = 0; b < size.batch; ++b) {
                for (int64_t row = 0; row < size.rows; ++row) {
                    for (int64_t column = 0; column < size.columns; ++column) {
                        CHECK_EQUAL(y[(b * size.columns + column) * size.rows + row],
                                    x[(b * size.rows + row) * size.columns + column]);
                    }
                }
            }
        }
    }
}

}  // namespace

int main() {
    check::test("everyElementOf4BytesFindsItsPlace", [] { check_definition<uint32_t>(VELU_DTYPE_F32); });
    check::test("everyElementOf2BytesFindsItsPlace", [] { check_definition<uint16_t>(VELU_DTYPE_BF16); });

    check::test("twoTranspositionsGiveBackTheMatrix", [] {
        Context context(2);
        const Size there{2, 45, 67}, back{2, 67, 45};
        Guarded<float> x(2 * 45 * 67), y(2 * 45 * 67), z(2 * 45 * 67);
        x.fill_uniform(3);
        const velu_transpose_desc first = transpose(VELU_DTYPE_F32, there);
        const velu_transpose_desc second = transpose(VELU_DTYPE_F32, back);
        CHECK_SUCCESS(context, velu_transpose_forward(context, &first, x, y));
        CHECK_SUCCESS(context, velu_transpose_forward(context, &second, y, z));
        for (int64_t i = 0; i < x.size; ++i) CHECK_EQUAL(z[i], x[i]);
    });

    check::test("aMatrixWithoutElementsIsANoOp", [] {
        Context context;
        for (const Size& size : {Size{0, 3, 4}, Size{2, 0, 4}, Size{2, 3, 0}}) {
            const velu_transpose_desc desc = transpose(VELU_DTYPE_F32, size);
            CHECK_SUCCESS(context, velu_transpose_forward(context, &desc, nullptr, nullptr));
        }
    });
    return check::report();
}
