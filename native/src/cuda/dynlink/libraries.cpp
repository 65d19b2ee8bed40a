#include "cuda/dynlink/libraries.h"

#include "cuda/dynlink/search.h"

#include <dlfcn.h>

#include <array>
#include <vector>

namespace velu::cuda::dynlink {
namespace {

std::string library_path;  // written before the first use of a library only

const std::vector<std::string>& folders() {
    static const std::vector<std::string> list = search_folders(library_path);
    return list;
}

/// e.g. 90501 (hundreds for minor and patch) as "9.5.1".
std::string version_text(size_t version) {
    return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
           std::to_string(version % 100);
}

/// What went wrong in every folder that has the library, or the list of folders if none has it.
class Attempts {
public:
    explicit Attempts(std::string name) : name_(std::move(name)) {}

    void failed(const std::string& folder, const std::string& message) {
        if (message.empty()) return;
        if (!messages_.empty()) messages_ += "; ";
        messages_ += folder.empty() ? message : folder + ": " + message;
    }
    std::string reason() const {
        if (!messages_.empty()) return messages_;
        std::string list;
        for (const std::string& folder : folders()) {
            if (!list.empty()) list += ", ";
            list += folder.empty() ? "the dynamic linker's path" : folder;
        }
        return name_ + " is not in any of: " + list + "; set VELU_CUDA_PATH to its folder";
    }

private:
    std::string name_;
    std::string messages_;
};

/// Stores the function of that name, or appends the name to `missing`.
template <class Function>
void bind(void* handle, const char* name, Function& function, std::string& missing) {
    function = reinterpret_cast<Function>(dlsym(handle, name));
    if (function == nullptr) missing += missing.empty() ? name : std::string(", ") + name;
}

/// Fills `opened` from two open libraries; the reason why they cannot be used, or "".
std::string bind_cudnn(void* graph, void* cnn, Opened<Cudnn>& opened) {
    std::string missing;
    Cudnn& f = opened.functions;
#define VELU_BIND(name) bind(graph, #name, f.name, missing);
    VELU_CUDNN_GRAPH_FUNCTIONS(VELU_BIND)
#undef VELU_BIND
#define VELU_BIND(name) bind(cnn, #name, f.name, missing);
    VELU_CUDNN_CNN_FUNCTIONS(VELU_BIND)
#undef VELU_BIND
    opened.path = library_file(graph);
    if (f.cudnnGetVersion != nullptr && f.cudnnGetVersion() / 10000 != 9) {
        return "cuDNN " + version_text(f.cudnnGetVersion()) + " (" + opened.path + ") is not of major version 9";
    }
    if (!missing.empty()) return opened.path + " lacks " + missing;
    opened.version = version_text(f.cudnnGetVersion());
    return "";
}

std::string bind_cublas_lt(void* handle, Opened<CublasLt>& opened) {
    std::string missing;
    CublasLt& f = opened.functions;
#define VELU_BIND(name) bind(handle, #name, f.name, missing);
    VELU_CUBLAS_LT_FUNCTIONS(VELU_BIND)
#undef VELU_BIND
    opened.path = library_file(handle);
    if (f.cublasLtGetVersion != nullptr) {
        const size_t major = f.cublasLtGetVersion() / 10000;
        if (major != 12 && major != 13) {
            return "cuBLASLt " + version_text(f.cublasLtGetVersion()) + " (" + opened.path +
                   ") is not of major version 12 or 13";
        }
    }
    if (!missing.empty()) return opened.path + " lacks " + missing;
    opened.version = version_text(f.cublasLtGetVersion());
    return "";
}

/// What cuDNN opens by name later on: NVRTC for its engines that are compiled at run time, cuBLASLt for some others.
/// Without them cuDNN leaves those engines out.
void preload_for_cudnn(const Cudnn& f) {
    const std::string major = std::to_string(f.cudnnGetCudartVersion() / 1000);
    preload_library(folders(), "libcublasLt.so." + major, "");
    preload_library(folders(), "libnvrtc.so." + major, "libnvrtc-builtins.so.*");
}

// libcudnn_graph and libcudnn_cnn are opened, never libcudnn.so.9, which loads the others at the first call of a
// function and ends the process if one is missing.
constexpr const char* kGraph = "libcudnn_graph.so.9";
constexpr const char* kCnn = "libcudnn_cnn.so.9";

Opened<Cudnn> open_cudnn() {
    Opened<Cudnn> opened;
    Attempts attempts(kGraph);
    // A copy that the process has already (another framework's) must be the one: a second libcudnn_cnn would be bound
    // to the first libcudnn_graph, of another version perhaps.
    std::vector<std::string> candidates = folders();
    if (void* graph = loaded_library(kGraph); graph != nullptr) {
        const std::string file = library_file(graph);
        candidates = {file.substr(0, file.rfind('/'))};
    }
    for (const std::string& folder : candidates) {
        std::string message;
        if (!folder.empty() && has_file(folder, kGraph) && !has_file(folder, kCnn)) {
            // Not even opened: it might stay in the process, and another folder's libcudnn_cnn be bound to it.
            attempts.failed(folder, std::string(kCnn) + " is missing beside " + kGraph);
            continue;
        }
        void* graph = open_library(folder, kGraph, message);
        if (graph == nullptr) {
            attempts.failed(folder, message);
            continue;
        }
        void* cnn = open_library(folder, kCnn, message);
        if (cnn == nullptr) {
            attempts.failed(folder, message.empty() ? std::string(kCnn) + " is missing beside " + kGraph : message);
        } else if (const std::string reason = bind_cudnn(graph, cnn, opened); !reason.empty()) {
            attempts.failed("", reason);
            dlclose(cnn);
        } else {
            opened.available = true;
            preload_for_cudnn(opened.functions);
            return opened;
        }
        dlclose(graph);
    }
    opened = {};
    opened.reason = attempts.reason();
    return opened;
}

Opened<CublasLt> open_cublas_lt() {
#if defined(CUDART_VERSION) && CUDART_VERSION < 13000
    const std::array<const char*, 2> names = {"libcublasLt.so.12", "libcublasLt.so.13"};
#else
    const std::array<const char*, 2> names = {"libcublasLt.so.13", "libcublasLt.so.12"};  // the runtime's own first
#endif
    Opened<CublasLt> opened;
    Attempts attempts{std::string(names[0]) + " (or " + names[1] + ")"};
    for (const std::string& folder : folders()) {
        for (const char* name : names) {
            std::string message;
            void* handle = open_library(folder, name, message);
            if (handle == nullptr) {
                attempts.failed(folder, message);
                continue;
            }
            const std::string reason = bind_cublas_lt(handle, opened);
            if (reason.empty()) {
                opened.available = true;
                return opened;
            }
            attempts.failed("", reason);
            dlclose(handle);
        }
    }
    opened = {};
    opened.reason = attempts.reason();
    return opened;
}

template <class Functions>
std::string describe_one(const char* name, const Opened<Functions>& opened) {
    if (!opened.available) return std::string(name) + " not found (" + opened.reason + ")";
    return std::string(name) + " " + opened.version + " (" + opened.path + ")";
}

}  // namespace

void set_library_path(const char* path) {
    library_path = path == nullptr ? "" : path;
}

const Opened<Cudnn>& cudnn() {
    static const Opened<Cudnn> opened = open_cudnn();
    return opened;
}

const Opened<CublasLt>& cublas_lt() {
    static const Opened<CublasLt> opened = open_cublas_lt();
    return opened;
}

std::string describe() {
    return describe_one("cuDNN", cudnn()) + "\n" + describe_one("cuBLASLt", cublas_lt());
}

}  // namespace velu::cuda::dynlink
