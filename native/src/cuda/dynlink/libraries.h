// The NVIDIA libraries that are opened at run time: cuDNN and cuBLASLt. The backend is compiled without them.
//
// Folders searched for each library, in order:
//   1. those of velu_backend_library_path (set_library_path),
//   2. those of the environment variable VELU_CUDA_PATH,
//      (of both, each folder and below it lib, lib64, nvidia/*/lib and org/bytedeco/cuda/linux-x86_64)
//   3. the dynamic linker's own path,
//   4. /usr/local/cuda/lib64, /usr/lib/x86_64-linux-gnu and its like,
//   5. lib/python3*/{site,dist}-packages/nvidia/*/lib of the Python environments in VIRTUAL_ENV and CONDA_PREFIX, of
//      /usr and of /usr/local.
#pragma once

#include "cuda/dynlink/cublas_lt.h"
#include "cuda/dynlink/cudnn.h"

#include <string>

namespace velu::cuda::dynlink {

/// Folders, separated by ':', that are searched before all others; NULL or "" for none. Takes effect only before the
/// first use of a library.
void set_library_path(const char* folders);

/// A library that was opened, or the reason why not.
template <class Functions>
struct Opened {
    Functions functions = {};  // all set if available
    bool available = false;
    std::string version;  // e.g. "9.5.1"; "" if not available
    std::string path;     // of the library's file
    std::string reason;   // "" if available, else every folder tried and what was wrong there
};

/// Opened at the first call; the same answer ever after. Safe from any thread.
const Opened<Cudnn>& cudnn();
const Opened<CublasLt>& cublas_lt();

/// One line per library: its version and file, or every folder tried and what was wrong there.
std::string describe();

}  // namespace velu::cuda::dynlink
