// Golden arrays: .npy files in the one form that docs/bundle.md describes, and what an engine computes against them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "trtbuild_loader.hpp"

namespace trtbuild::npy {

// A view into `content`, which must outlive it. Throws BundleError("golden", …).
View read(const Bytes& content, const std::string& where);

// Every limit that `output` breaks against `expected`, in words. Throws BundleError: fewer elements than are expected.
std::vector<std::string> broken_limits(const View& expected, const View& output,
                                       const std::map<std::string, double>& limits);

}  // namespace trtbuild::npy
