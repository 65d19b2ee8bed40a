// The names of the runtime for files that launch nothing.
#pragma once

#include "cuda_runtime.h"
