// trtbuild-verify BUNDLE [PUBLIC.pem]: checks a bundle on the device, without TensorRT; 0, or 3 and one line.
#include <cstdio>

#include "trtbuild_loader.hpp"

int main(int argc, char** argv) {
    if (argc < 2 || argc > 3) {
        std::fprintf(stderr, "usage: trtbuild-verify BUNDLE [PUBLIC.pem]\n");
        return 2;
    }
    try {
        const trtbuild::Bundle bundle = trtbuild::open_bundle(argv[1], argc > 2 ? argv[2] : "");
        std::printf("%s: %s\n", bundle.manifest.name.c_str(),
                    bundle.signature_checked ? "signed and whole" : "whole; its signature was not checked");
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 3;
    }
}
