// velu_top_k_count against a sort.
#include <algorithm>
#include <numeric>
#include <vector>

#include "check.h"

using check::Context;

namespace {

int64_t count_of(velu_context* context, const std::vector<float>& logits, const std::vector<int32_t>& labels,
                 int32_t k) {
    const int64_t rows = static_cast<int64_t>(labels.size());
    const velu_top_k_desc desc{check::device(), VELU_DTYPE_F32, rows, static_cast<int64_t>(logits.size()) / rows, k, 0};
    int64_t count = -1;
    CHECK_SUCCESS(context, velu_top_k_count(context, &desc, logits.data(), labels.data(), &count));
    return count;
}

}  // namespace

int main() {
    check::test("countMatchesAStableSortForOddSizesAndThreads", [] {
        for (int32_t threads = 1; threads <= check::most_threads(); ++threads) {
            Context context(threads);
            for (const int64_t classes : {1, 10, 31, 33, 257, 1000, 2001}) {
                const int64_t rows = 301;
                std::vector<float> logits(static_cast<size_t>(rows * classes));
                std::vector<int32_t> labels(static_cast<size_t>(rows));
                uint64_t seed = 11;
                const auto next = [&seed] { return (seed = seed * 6364136223846793005u + 1442695040888963407u) >> 33; };
                for (float& value : logits) value = static_cast<float>(next() % 40);  // many ties
                for (int32_t& label : labels) {
                    label = static_cast<int32_t>(next() % static_cast<uint64_t>(classes + 1)) - 1;
                }
                for (const int32_t k : {1, 5, 2000}) {
                    int64_t expected = 0;
                    for (int64_t row = 0; row < rows; ++row) {
                        const float* z = logits.data() + row * classes;
                        std::vector<int32_t> order(static_cast<size_t>(classes));
                        std::iota(order.begin(), order.end(), 0);
                        std::stable_sort(order.begin(), order.end(), [z](int32_t a, int32_t b) { return z[a] > z[b]; });
                        const auto end = order.begin() + std::min<int64_t>(k, classes);
                        expected += std::find(order.begin(), end, labels[static_cast<size_t>(row)]) != end;
                    }
                    CHECK_EQUAL(count_of(context, logits, labels, k), expected);
                }
            }
        }
    });

    check::test("ofEqualLogitsTheLowerClassRanksFirst", [] {
        Context context;
        CHECK_EQUAL(count_of(context, {1, 1, 1}, {0}, 1), 1);
        CHECK_EQUAL(count_of(context, {1, 1, 1}, {1}, 1), 0);
        CHECK_EQUAL(count_of(context, {1, 1, 1}, {1}, 2), 1);
        CHECK_EQUAL(count_of(context, {0.0f, -0.0f}, {1}, 1), 0);
    });

    check::test("aNanRanksAboveEverythingAndIsNeverCorrect", [] {
        Context context;
        CHECK_EQUAL(count_of(context, {NAN, 1, INFINITY}, {2}, 1), 0);
        CHECK_EQUAL(count_of(context, {1, INFINITY, NAN}, {1}, 1), 0);
        CHECK_EQUAL(count_of(context, {NAN, 1, INFINITY}, {2}, 2), 1);
        CHECK_EQUAL(count_of(context, {NAN, 1, 2}, {0}, 3), 0);
    });

    check::test("aRowWithoutLabelDoesNotCount", [] {
        Context context;
        CHECK_EQUAL(count_of(context, {1, 2, 1, 2}, {-1, 1}, 1), 1);
    });

    const char* why = "other devices cannot look at labels: such a row does not count there";
    check::test_on_cpu("labelOutOfRangeNamesRowValueAndRange", why, [] {
        Context context;
        const std::vector<float> logits(12);
        for (const int32_t label : {3, -2}) {
            const std::vector<int32_t> labels = {0, 1, label, 2};
            const velu_top_k_desc desc{check::device(), VELU_DTYPE_F32, 4, 3, 1, 0};
            int64_t count = 77;
            CHECK_EQUAL(velu_top_k_count(context, &desc, logits.data(), labels.data(), &count),
                        velu_status{VELU_STATUS_INVALID_ARGUMENT});
            const std::string message = velu_context_last_error(context);
            CHECK(message.find("row 2 is " + std::to_string(label)) != std::string::npos);
            CHECK(message.find("0 to 2") != std::string::npos);
            CHECK_EQUAL(count, 77);
        }
    });
    return check::report();
}
