// How the CUDA backend finds, chooses and survives cuDNN and cuBLASLt, on the stand-ins of this folder and the emulated
// CUDA. VELU_CUDA_PATH is the stand-ins' folder. Each test runs in a process of its own, because a library is looked
// for once per process.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "../check.h"

using check::Guarded;

namespace {

using Settings = std::vector<std::pair<const char*, std::string>>;

/// The stand-ins' folder, as the test was started.
const std::string& folder() {
    static const std::string path = [] {
        const char* value = std::getenv("VELU_CUDA_PATH");
        return std::string(value == nullptr ? "" : value);
    }();
    return path;
}

/// A test in a child process with these environment variables.
void test(const char* name, const Settings& settings, const std::function<void()>& body) {
    check::test(name, [&] {
        std::fflush(stderr);
        const pid_t child = fork();
        if (child == 0) {
            for (const auto& [variable, value] : settings) setenv(variable, value.c_str(), 1);
            body();
            _exit(check::failures_in_test == 0 ? 0 : 1);
        }
        int status = 0;
        waitpid(child, &status, 0);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    });
}

struct Context {
    explicit Context(bool allow_tf32 = false) {
        const velu_context_desc desc{VELU_DEVICE_CUDA, 0, 0, 0, allow_tf32 ? 1 : 0, 0};
        char message[512] = "";
        velu_context_create(&desc, &context, message, sizeof message);
        CHECK_EQUAL(std::string(message), "");
    }
    ~Context() { velu_context_destroy(context); }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    operator velu_context*() const { return context; }
    velu_context* context = nullptr;
};

/// Calls that a stand-in has counted; -1 if it is not in the process.
int64_t calls(const char* library, const char* function) {
    void* handle = dlopen((folder() + "/" + library).c_str(), RTLD_NOW | RTLD_NOLOAD);
    if (handle == nullptr) return -1;
    const auto counted = reinterpret_cast<int64_t (*)(const char*)>(dlsym(handle, "fake_calls"));
    return counted(function);
}

constexpr const char* kGraph = "libcudnn_graph.so.9";
constexpr const char* kCnn = "libcudnn_cnn.so.9";
constexpr const char* kCublasLt = "libcublasLt.so.13";

velu_conv2d_desc convolution(int32_t groups = 1, int32_t dtype = VELU_DTYPE_F32) {
    return {VELU_DEVICE_CUDA, dtype, 2, 6, 5, 8, 8, 3, 3, 1, 1, 1, 1, 1, 1, groups, VELU_ACTIVATION_IDENTITY, 0};
}

/// The same with a y whose pixels lie 12 elements apart.
velu_conv2d_desc pitched_convolution(int32_t dtype = VELU_DTYPE_F32) {
    velu_conv2d_desc desc = convolution(1, dtype);
    desc.y_pitch = 12;
    return desc;
}

template <class Desc>
std::string name_of(velu_context* context, const char* operation, const Desc& desc) {
    char name[128] = "";
    CHECK_SUCCESS(context, velu_impl_name(context, operation, &desc, name, sizeof name));
    return name;
}

std::string libraries() {
    velu_backend_info info{};
    velu_backend_query(VELU_DEVICE_CUDA, &info);
    return info.libraries;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Case {
    explicit Case(const velu_conv2d_desc& d, size_t misalign = 0)
        : desc(d),
          x(d.batch * d.in_height * d.in_width * d.in_channels, misalign),
          weight(d.out_channels * 9 * d.in_channels / d.groups, misalign),
          pitch(d.y_pitch == 0 ? d.out_channels : d.y_pitch),
          y((d.batch * d.in_height * d.in_width - 1) * pitch + d.out_channels, misalign) {
        x.fill_uniform(1);
        weight.fill_uniform(2);
    }
    velu_status forward(velu_context* context) { return velu_conv2d_forward(context, &desc, x, weight, nullptr, y); }
    velu_conv2d_desc desc;
    Guarded<float> x, weight;
    int64_t pitch;
    Guarded<float> y;
};

/// Checks all passes of pitched_convolution() against those of convolution(), bit for bit, and that what lies between
/// the pixels stays.
void check_pitched_passes(velu_context* context) {
    Case dense(convolution()), pitched(pitched_convolution());
    constexpr float kBetween = 7;
    for (int64_t i = 0; i < pitched.y.size; ++i) pitched.y[i] = kBetween;
    CHECK_SUCCESS(context, dense.forward(context));
    CHECK_SUCCESS(context, pitched.forward(context));
    for (int64_t i = 0; i < pitched.y.size; ++i) {
        CHECK_EQUAL(pitched.y[i], i % 12 < 8 ? dense.y[i / 12 * 8 + i % 12] : kBetween);
    }
    // What lies between dy's pixels must not be read.
    for (int64_t i = 0; i < pitched.y.size; ++i) {
        if (i % 12 >= 8) pitched.y[i] = std::numeric_limits<float>::quiet_NaN();
    }
    Guarded<float> dx(dense.x.size), dx_of_pitched(dense.x.size);
    CHECK_SUCCESS(context, velu_conv2d_backward_data(context, &dense.desc, dense.y, dense.weight, dx));
    CHECK_SUCCESS(context, velu_conv2d_backward_data(context, &pitched.desc, pitched.y, dense.weight, dx_of_pitched));
    for (int64_t i = 0; i < dx.size; ++i) CHECK_EQUAL(dx_of_pitched[i], dx[i]);
    Guarded<float> dweight(dense.weight.size), dweight_of_pitched(dense.weight.size), dbias(8), dbias_of_pitched(8);
    CHECK_SUCCESS(context, velu_conv2d_backward_weights(context, &dense.desc, dense.x, dense.y, dweight, dbias));
    CHECK_SUCCESS(context, velu_conv2d_backward_weights(context, &pitched.desc, dense.x, pitched.y, dweight_of_pitched,
                                                        dbias_of_pitched));
    for (int64_t i = 0; i < dweight.size; ++i) CHECK_EQUAL(dweight_of_pitched[i], dweight[i]);
    for (int64_t i = 0; i < dbias.size; ++i) CHECK_EQUAL(dbias_of_pitched[i], dbias[i]);
    CHECK_EQUAL(calls(kGraph, "mistakes"), 0);
    CHECK_EQUAL(calls(kCnn, "mistakes"), 0);
}

/// An empty folder with links to some of the stand-ins.
struct PartialFolder {
    explicit PartialFolder(const std::vector<std::string>& names) {
        std::string pattern = std::filesystem::temp_directory_path() / "velu-libraries-XXXXXX";
        path = mkdtemp(pattern.data());
        for (const std::string& name : names) {
            std::filesystem::create_symlink(folder() + "/" + name, path + "/" + name);
        }
    }
    ~PartialFolder() { std::filesystem::remove_all(path); }
    PartialFolder(const PartialFolder&) = delete;
    PartialFolder& operator=(const PartialFolder&) = delete;
    std::string path;
};

}  // namespace

int main() {
    if (folder().empty()) {
        std::fprintf(stderr, "VELU_CUDA_PATH is not set; set it to the folder of the stand-ins\n");
        return EXIT_FAILURE;
    }
    setenv("VELU_TEST_DEVICE", "cuda", 1);

    // Finding

    test("versionsOfWhatWasFoundAreNamed", {}, [] {
        CHECK(contains(libraries(), "cuDNN 9.5.1"));
        CHECK(contains(libraries(), "cuBLASLt 13.0.0"));
    });
    test("librariesAreFoundInAFolderNamedThroughTheAbi", {{"VELU_CUDA_PATH", ""}}, [] {
        CHECK_EQUAL(velu_backend_library_path(VELU_DEVICE_CUDA, ("/nowhere:" + folder()).c_str()), VELU_STATUS_SUCCESS);
        CHECK(contains(libraries(), "cuDNN 9.5.1"));
    });
    test("aFolderWithoutLibrariesLeavesTheReasonAndTheOwnKernels", {{"VELU_CUDA_PATH", "/nowhere"}}, [] {
        CHECK(contains(libraries(), "cuDNN not found (libcudnn_graph.so.9 is not in any of: /nowhere, "));
        const Context context;
        CHECK_EQUAL(name_of(context, "conv2d_forward", convolution()), "reference (cuDNN not found)");
        Case c(convolution());
        CHECK_SUCCESS(context, c.forward(context));
    });
    test("anotherMajorVersionOfCudnnIsRejectedByName", {{"FAKE_CUDNN_VERSION", "100000"}}, [] {
        CHECK(contains(libraries(), "cuDNN not found (cuDNN 10.0.0"));
        const Context context;
        CHECK_EQUAL(name_of(context, "conv2d_forward", convolution()), "reference (cuDNN not found)");
    });
    {
        const PartialFolder partial({kGraph});
        test("aMissingSubLibraryIsNamed", {{"VELU_CUDA_PATH", partial.path}},
             [] { CHECK(contains(libraries(), "libcudnn_cnn.so.9 is missing beside libcudnn_graph.so.9")); });
        test("aFolderWithAllOfThemIsTakenAfterOneWithSome", {{"VELU_CUDA_PATH", partial.path + ":" + folder()}},
             [] { CHECK(contains(libraries(), "cuDNN 9.5.1")); });
    }
    {
        const PartialFolder broken({});
        std::FILE* file = std::fopen((broken.path + "/" + kCublasLt).c_str(), "w");
        std::fputs("not a library", file);
        std::fclose(file);
        test("aFileThatIsNoLibraryIsReportedInTheLinkersWords", {{"VELU_CUDA_PATH", broken.path}},
             [] { CHECK(contains(libraries(), "cuBLASLt not found (/")); });
    }
    test("aHandleThatCannotBeMadeLeavesTheReasonAndTheOwnKernels", {{"FAKE_CUDNN_CREATE", "fail"}}, [] {
        const Context context;
        const std::string name = name_of(context, "conv2d_forward", convolution());
        CHECK_EQUAL(name.rfind("reference (cudnnCreate", 0), 0u);
        CHECK_SUCCESS(context, Case(convolution()).forward(context));
        CHECK_EQUAL(calls(kGraph, "cudnnCreate"), 1);
    });

    // Choosing

    test("theFastestDeterministicExactEngineIsChosen", {{"FAKE_TIMES", "1"}}, [] {
        const Context context;
        for (const char* operation : {"conv2d_forward", "conv2d_backward_data", "conv2d_backward_weights"}) {
            CHECK_EQUAL(name_of(context, operation, convolution()), "cudnn:engine 104");
            CHECK_EQUAL(name_of(context, operation, convolution(2, VELU_DTYPE_BF16)), "cudnn:engine 105");
        }
        CHECK_EQUAL(calls(kGraph, "mistakes"), 0);
    });
    test("enginesThatRoundToTf32AreChosenOnlyIfAllowed", {{"FAKE_TIMES", "1"}}, [] {
        const Context context(true);
        CHECK_EQUAL(name_of(context, "conv2d_forward", convolution()), "cudnn:engine 105");
    });
    test("memoryAlignedToElementsOnlyGetsAnEngineThatTakesIt", {{"FAKE_TIMES", "1"}}, [] {
        const Context context;
        Case aligned(convolution()), unaligned(convolution(), sizeof(float));
        CHECK_SUCCESS(context, aligned.forward(context));
        CHECK_SUCCESS(context, unaligned.forward(context));
        for (int64_t i = 0; i < aligned.y.size; ++i) CHECK_EQUAL(unaligned.y[i], aligned.y[i]);
        CHECK_EQUAL(calls(kGraph, "mistakes"), 0);
    });
    test("withoutAutotuningTheFirstSuitableEngineThatRunsIsTaken", {{"VELU_CUDA_AUTOTUNE", "0"}}, [] {
        const Context context;
        CHECK_EQUAL(name_of(context, "conv2d_forward", convolution()), "cudnn:engine 102");
        CHECK_EQUAL(calls(kGraph, "executions"), 1);
    });
    test("withoutAutotuningDepthwiseConvolutionsUseTheOwnKernels", {{"VELU_CUDA_AUTOTUNE", "0"}}, [] {
        const Context context;
        CHECK_EQUAL(name_of(context, "conv2d_forward", convolution(8)), "depthwise");
    });
    test("anEngineIsChosenOncePerShape", {}, [] {
        const Context context;
        Case c(convolution());
        CHECK_SUCCESS(context, velu_conv2d_prepare(context, &c.desc, VELU_PASS_FORWARD));
        const int64_t plans = calls(kGraph, "plans");
        const int64_t executions = calls(kGraph, "executions");
        CHECK(plans > 0);
        CHECK_SUCCESS(context, c.forward(context));
        CHECK_SUCCESS(context, c.forward(context));
        CHECK_EQUAL(calls(kGraph, "plans"), plans);
        CHECK_EQUAL(calls(kGraph, "executions"), executions + 2);
    });
    test("anEngineWithTooMuchWorkspaceIsNotChosen", {}, [] {
        const Context context;
        Case c(convolution());
        CHECK_SUCCESS(context, c.forward(context));
        int64_t bytes = 0;
        CHECK_SUCCESS(context, velu_context_workspace_size(context, &bytes));
        CHECK(bytes <= 1 << 20);
    });

    test("aPitchedYIsGivenToCudnnAsItIs", {{"FAKE_TIMES", "1"}}, [] {
        const Context context;
        for (const char* operation : {"conv2d_forward", "conv2d_backward_data", "conv2d_backward_weights"}) {
            CHECK_EQUAL(name_of(context, operation, pitched_convolution()), "cudnn:engine 104");
        }
        CHECK_EQUAL(calls(kGraph, "mistakes"), 0);
    });
    test("aPitchedYHasTheBitsOfADenseOne", {{"VELU_CUDA_AUTOTUNE", "0"}}, [] {
        const Context context;
        check_pitched_passes(context);
    });
    test("aPitchAndADenseYHaveImplementationsOfTheirOwn", {{"VELU_CUDA_AUTOTUNE", "0"}}, [] {
        const Context context;
        Case dense(convolution()), pitched(pitched_convolution());
        CHECK_SUCCESS(context, dense.forward(context));
        const int64_t plans = calls(kGraph, "plans");
        CHECK_SUCCESS(context, pitched.forward(context));
        CHECK(calls(kGraph, "plans") > plans);
    });

    // Surviving

    test("aPitchedYIsCopiedWhereCudnnHasNoEngineForIt", {{"FAKE_CUDNN_STRIDES", "reject"}, {"VELU_CUDA_AUTOTUNE", "0"}},
         [] {
             const Context context;
             for (const char* operation : {"conv2d_forward", "conv2d_backward_data", "conv2d_backward_weights"}) {
                 CHECK_EQUAL(name_of(context, operation, pitched_convolution()), "cudnn:engine 102, y copied");
             }
             check_pitched_passes(context);
         });
    test("aPitchedYIsCopiedForTheOlderApi", {{"FAKE_CUDNN_GRAPH", "reject"}, {"VELU_CUDA_AUTOTUNE", "0"}}, [] {
        const Context context;
        for (const int32_t dtype : {VELU_DTYPE_F32, VELU_DTYPE_BF16}) {
            CHECK_EQUAL(name_of(context, "conv2d_backward_data", pitched_convolution(dtype)),
                        "cudnn:algorithm 1, y copied");
        }
        check_pitched_passes(context);
    });

    test("theOlderApiIsUsedWhereTheGraphApiHasNoEngine", {{"FAKE_CUDNN_GRAPH", "reject"}}, [] {
        const Context context;
        for (const int32_t dtype : {VELU_DTYPE_F32, VELU_DTYPE_BF16}) {
            CHECK(contains(name_of(context, "conv2d_forward", convolution(1, dtype)), "cudnn:algorithm "));
            CHECK_EQUAL(name_of(context, "conv2d_backward_data", convolution(1, dtype)), "cudnn:algorithm 1");
        }
        CHECK_EQUAL(name_of(context, "conv2d_backward_weights", convolution()), "cudnn:algorithm 1");
        CHECK_EQUAL(name_of(context, "conv2d_backward_weights", convolution(1, VELU_DTYPE_BF16)),
                    "cudnn:algorithm 1, dweight rounded to bf16");
        CHECK_EQUAL(calls(kCnn, "mistakes"), 0);
        CHECK_EQUAL(calls(kGraph, "executions"), 0);
    });
    test("aRejectedShapeIsAskedForOnce", {{"FAKE_CUDNN_GRAPH", "reject"}, {"FAKE_CUDNN_LEGACY", "reject"}}, [] {
        const Context context;
        Case c(convolution());
        CHECK_SUCCESS(context, c.forward(context));
        const int64_t asked = calls(kGraph, "heuristics") + calls(kCnn, "heuristics");
        CHECK(asked > 0);
        CHECK_SUCCESS(context, c.forward(context));
        CHECK_EQUAL(calls(kGraph, "heuristics") + calls(kCnn, "heuristics"), asked);
        CHECK_EQUAL(name_of(context, "conv2d_forward", c.desc).rfind("reference (", 0), 0u);
    });
    test("aGradientOfWeightsThatOnlyExistsInBfloat16IsWidened", {{"FAKE_CUDNN_DWEIGHT", "bf16"}}, [] {
        const Context context;
        const std::string name = name_of(context, "conv2d_backward_weights", convolution(1, VELU_DTYPE_BF16));
        CHECK(contains(name, "cudnn:engine") && contains(name, "dweight rounded to bf16"));
        CHECK_EQUAL(name_of(context, "conv2d_backward_weights", convolution()).find("rounded"), std::string::npos);
    });

    // The activation

    test("anActivationFollowsTheBiasOfWhatCudnnComputed", {}, [] {
        const Context context;
        for (const bool has_bias : {false, true}) {
            Case plain(pitched_convolution()), fused(pitched_convolution());
            fused.desc.activation = VELU_ACTIVATION_RELU;
            Guarded<float> bias(8);
            bias.fill_uniform(3);
            const float* const given = has_bias ? static_cast<const float*>(bias) : nullptr;
            CHECK_SUCCESS(context, velu_conv2d_forward(context, &plain.desc, plain.x, plain.weight, given, plain.y));
            CHECK_SUCCESS(context, velu_conv2d_forward(context, &fused.desc, fused.x, fused.weight, given, fused.y));
            int64_t clipped = 0;
            for (int64_t i = 0; i < plain.y.size; ++i) {
                if (i % 12 >= 8) continue;
                clipped += plain.y[i] < 0;
                CHECK_EQUAL(fused.y[i], plain.y[i] > 0 ? plain.y[i] : 0.0f);
            }
            CHECK(clipped > 0);
        }
    });
    test("anActivationNeedsNoImplementationOfItsOwn", {}, [] {
        const Context context;
        Case c(convolution());
        CHECK_SUCCESS(context, c.forward(context));
        const int64_t plans = calls(kGraph, "plans");
        c.desc.activation = VELU_ACTIVATION_SILU;
        CHECK_SUCCESS(context, c.forward(context));
        CHECK_EQUAL(calls(kGraph, "plans"), plans);
    });

    // Recording

    test("aConvolutionThatHasNotRunCannotBeRecorded", {}, [] {
        const Context context;
        Case c(convolution());
        CHECK_EQUAL(velu_graph_begin(context), VELU_STATUS_SUCCESS);
        CHECK_EQUAL(c.forward(context), VELU_STATUS_INVALID_ARGUMENT);
        CHECK(contains(velu_context_last_error(context), "before velu_graph_begin"));
        velu_graph* graph = nullptr;
        velu_graph_end(context, &graph);
        velu_graph_destroy(context, graph);
        CHECK_SUCCESS(context, c.forward(context));
    });
    test("aPreparedConvolutionIsRecordedAndReplayed", {}, [] {
        const Context context;
        Case c(convolution());
        Guarded<float> expected(c.y.size);
        CHECK_SUCCESS(context, velu_conv2d_forward(context, &c.desc, c.x, c.weight, nullptr, expected));
        velu_graph* graph = nullptr;
        CHECK_EQUAL(velu_graph_begin(context), VELU_STATUS_SUCCESS);
        CHECK_EQUAL(c.forward(context), VELU_STATUS_SUCCESS);
        CHECK_EQUAL(velu_graph_end(context, &graph), VELU_STATUS_SUCCESS);
        c.y.fill_uniform(9);
        CHECK_SUCCESS(context, velu_graph_launch(context, graph));
        for (int64_t i = 0; i < c.y.size; ++i) CHECK_EQUAL(c.y[i], expected[i]);
        CHECK_SUCCESS(context, velu_graph_destroy(context, graph));
    });

    // cuBLASLt

    const velu_linear_desc linear = {VELU_DEVICE_CUDA, VELU_DTYPE_F32, 12, 16, 8, VELU_ACTIVATION_IDENTITY, 0};
    test("theFastestAlgorithmOfCublasLtIsChosen", {{"FAKE_TIMES", "1"}}, [&] {
        const Context context;
        for (const char* operation : {"linear_forward", "linear_backward_data", "linear_backward_weights"}) {
            CHECK_EQUAL(name_of(context, operation, linear), "cublaslt:algorithm 20");
        }
        CHECK_EQUAL(calls(kCublasLt, "mistakes"), 0);
    });
    test("cublasLtWithoutAlgorithmsLeavesTheReasonAndTheOwnKernel", {{"FAKE_CUBLAS_LT", "reject"}}, [&] {
        const Context context;
        CHECK_EQUAL(name_of(context, "linear_forward", linear), "reference (no algorithm of cuBLASLt)");
        const int64_t asked = calls(kCublasLt, "heuristics");
        CHECK_EQUAL(name_of(context, "linear_forward", linear), "reference (no algorithm of cuBLASLt)");
        CHECK_EQUAL(calls(kCublasLt, "heuristics"), asked);
    });
    test("aPreparedLinearLayerWithBiasIsRecorded", {}, [&] {
        const Context context;
        Guarded<float> x(12 * 16), weight(8 * 16), bias(8), y(12 * 8);
        x.fill_uniform(1);
        weight.fill_uniform(2);
        bias.fill_uniform(3);
        CHECK_SUCCESS(context, velu_linear_prepare(context, &linear, VELU_PASS_FORWARD));
        velu_graph* graph = nullptr;
        CHECK_EQUAL(velu_graph_begin(context), VELU_STATUS_SUCCESS);
        CHECK_EQUAL(velu_linear_forward(context, &linear, x, weight, bias, y), VELU_STATUS_SUCCESS);
        CHECK_EQUAL(velu_graph_end(context, &graph), VELU_STATUS_SUCCESS);
        CHECK_SUCCESS(context, velu_graph_launch(context, graph));
        double first = static_cast<double>(bias[0]);
        for (int64_t i = 0; i < 16; ++i) first += static_cast<double>(x[i]) * static_cast<double>(weight[i]);
        CHECK_NEAR(static_cast<double>(y[0]), first, 1e-5);
        CHECK_SUCCESS(context, velu_graph_destroy(context, graph));
    });
    test("anActivationFollowsTheBiasOfALinearLayer", {}, [&] {
        const Context context;
        Guarded<float> x(12 * 16), weight(8 * 16), bias(8), plain(12 * 8), fused(12 * 8);
        x.fill_uniform(1);
        weight.fill_uniform(2);
        bias.fill_uniform(3);
        velu_linear_desc relu6 = linear;
        relu6.activation = VELU_ACTIVATION_RELU6;
        CHECK_SUCCESS(context, velu_linear_forward(context, &linear, x, weight, bias, plain));
        CHECK_SUCCESS(context, velu_linear_forward(context, &relu6, x, weight, bias, fused));
        for (int64_t i = 0; i < plain.size; ++i) {
            CHECK_EQUAL(fused[i], plain[i] < 0 ? 0.0f : plain[i] > 6 ? 6.0f : plain[i]);
        }
    });
    return check::report();
}
