// trtbuild-example BUNDLE PUBLIC.pem: loads an engine, which checks and tests it, and runs it on zeros.
#include <cstdio>

#include "trtbuild_loader.hpp"

int main(int argc, char** argv) try {
    if (argc != 3) return 2;
    const auto runtime = trtbuild::make_tensorrt_runtime();
    trtbuild::Engine engine = trtbuild::load(argv[1], argv[2], *runtime);
    std::map<std::string, trtbuild::Array> zeros;
    trtbuild::Inputs inputs;
    for (const auto& input : engine.manifest().inputs) {
        std::size_t bytes = trtbuild::bytes_of(input.dtype);
        for (const auto size : input.opt) bytes *= static_cast<std::size_t>(size);
        const auto& array = zeros[input.name] = {input.dtype, input.opt, trtbuild::Bytes(bytes)};
        inputs.emplace(input.name, array.view());
    }
    for (const auto& [name, output] : engine.infer(inputs))
        std::printf("%s: %zu bytes\n", name.c_str(), output.bytes.size());
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 3;
}
