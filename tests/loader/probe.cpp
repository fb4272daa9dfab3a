// A loader that is asked through its standard input, over an engine that multiplies, so that many bundles take one
// process.
//
// A line of tabs: bundle, key, flavour, version, compute capability, factor, input (x float32 -1 6), output.
// The answer: "loaded", or "refused" with reason and file; then whether the engine was deserialised.
#include <cstring>
#include <iostream>
#include <iterator>
#include <sstream>

#include "trtbuild_loader.hpp"

namespace {

using trtbuild::DType;

std::vector<std::string> split(const std::string& line, char at) {
    std::vector<std::string> parts;
    std::istringstream stream(line);
    for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
    return parts;
}

trtbuild::Tensor tensor(const std::string& words) {
    const auto parts = split(words, ' ');
    trtbuild::Tensor made{parts.at(0), DType::float32, {}};
    if (parts.at(1) == "float16") made.dtype = DType::float16;
    for (std::size_t i = 2; i < parts.size(); ++i) made.shape.push_back(std::stoll(parts[i]));
    return made;
}

class Multiplier final : public trtbuild::Running {
public:
    Multiplier(float factor, trtbuild::Tensor input, trtbuild::Tensor output)
        : factor_(factor), input_(std::move(input)), output_(std::move(output)) {}
    std::vector<trtbuild::Tensor> inputs() const override { return {input_}; }
    std::vector<trtbuild::Tensor> outputs() const override { return {output_}; }
    trtbuild::Outputs run(const trtbuild::Inputs& inputs) override {
        const trtbuild::View& x = inputs.at(input_.name);
        std::size_t count = 1;
        for (const auto size : x.shape) count *= static_cast<std::size_t>(size);
        trtbuild::Array y{DType::float32, x.shape, trtbuild::Bytes(count * 4)};
        for (std::size_t i = 0; i < count; ++i) {
            float value;
            std::memcpy(&value, static_cast<const char*>(x.data) + 4 * i, 4);
            value *= factor_;
            std::memcpy(y.bytes.data() + 4 * i, &value, 4);
        }
        return {{output_.name, y}};
    }

private:
    float factor_;
    trtbuild::Tensor input_, output_;
};

class Device final : public trtbuild::Runtime {
public:
    explicit Device(std::vector<std::string> words) : words_(std::move(words)) {}
    std::string version(const std::string& flavour) override {
        if (flavour != words_.at(2)) throw trtbuild::BundleError("flavour", "engine", "another flavour");
        return words_.at(3);
    }
    std::string compute_capability() override { return words_.at(4); }
    std::unique_ptr<trtbuild::Running> deserialise(const trtbuild::Bytes&, bool) override {
        deserialised = true;
        return std::make_unique<Multiplier>(std::stof(words_.at(5)), tensor(words_.at(6)), tensor(words_.at(7)));
    }
    bool deserialised = false;

private:
    std::vector<std::string> words_;
};

}  // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);) {
        const auto words = split(line, '\t');
        Device device(words);
        try {
            trtbuild::load(words.at(0), words.at(1), device);
            std::cout << "loaded\t\t";
        } catch (const trtbuild::BundleError& error) {
            std::cout << "refused\t" << error.reason << '\t' << error.where;
        }
        std::cout << '\t' << (device.deserialised ? "deserialised" : "not deserialised") << std::endl;
    }
}
