#include "fake.h"

namespace fake {
namespace {

std::mutex mutex;
std::map<std::string, int64_t>& counts() {
    static std::map<std::string, int64_t> map;
    return map;
}

}  // namespace

void count(const char* function) {
    const std::lock_guard<std::mutex> lock(mutex);
    ++counts()[function];
}

void Convolution::run() const {
    take(milliseconds);
    if (workspace_bytes > 0) std::memset(workspace, 0x7F, static_cast<size_t>(workspace_bytes));
    const int64_t group_in = filter[1];
    const int64_t group_out = filter[0] / groups();
    const bool forward = pass == Pass::kForward;
    const int64_t results = forward                       ? output[0] * output[2] * output[3] * output_pitch
                            : pass == Pass::kBackwardData ? image[0] * image[1] * image[2] * image[3]
                                                          : filter[0] * filter[1] * filter[2] * filter[3];
    double* sums = new double[static_cast<size_t>(results)]();
    const auto operand = [this](Type type, const void* memory, int64_t index) {
        return tf32 ? to_tf32(read(type, memory, index)) : read(type, memory, index);
    };
    for (int64_t n = 0; n < output[0]; ++n) {
        for (int64_t i = 0; i < output[2]; ++i) {
            for (int64_t j = 0; j < output[3]; ++j) {
                for (int64_t o = 0; o < output[1]; ++o) {
                    const int64_t y = ((n * output[2] + i) * output[3] + j) * output_pitch + o;
                    for (int64_t r = 0; r < filter[2]; ++r) {
                        for (int64_t s = 0; s < filter[3]; ++s) {
                            const int64_t h = i * stride[0] - padding[0] + r * dilation[0];
                            const int64_t v = j * stride[1] - padding[1] + s * dilation[1];
                            if (h < 0 || h >= image[2] || v < 0 || v >= image[3]) continue;
                            for (int64_t c = 0; c < group_in; ++c) {
                                const int64_t x =
                                    ((n * image[2] + h) * image[3] + v) * image[1] + o / group_out * group_in + c;
                                const int64_t w = ((o * filter[2] + r) * filter[3] + s) * group_in + c;
                                if (forward) {
                                    sums[y] +=
                                        operand(image_type, image_memory, x) * operand(filter_type, filter_memory, w);
                                } else if (pass == Pass::kBackwardData) {
                                    sums[x] +=
                                        operand(output_type, output_memory, y) * operand(filter_type, filter_memory, w);
                                } else {
                                    sums[w] +=
                                        operand(image_type, image_memory, x) * operand(output_type, output_memory, y);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    for (int64_t i = 0; i < results; ++i) {
        if (forward) {
            if (i % output_pitch < output[1]) write(output_type, output_memory, i, sums[i]);
        } else if (pass == Pass::kBackwardData) {
            write(image_type, image_memory, i, sums[i]);
        } else {
            write(filter_type, filter_memory, i, sums[i]);
        }
    }
    delete[] sums;
}

bool enqueue(void* stream, const Convolution& convolution) {
    const auto put = emulator::find_enqueue();
    return put != nullptr && put(
                                 stream, [](const void* data) { static_cast<const Convolution*>(data)->run(); },
                                 &convolution, sizeof convolution) == 0;
}

}  // namespace fake

int64_t fake_calls(const char* function) {
    const std::lock_guard<std::mutex> lock(fake::mutex);
    return fake::counts()[function];
}
