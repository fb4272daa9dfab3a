#include "npy.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <locale>
#include <optional>
#include <sstream>

namespace trtbuild::npy {
namespace {

const std::map<std::string, DType> descriptions = {
    {"<f4", DType::float32}, {"<f2", DType::float16}, {"<f8", DType::float64}, {"|i1", DType::int8},
    {"|u1", DType::uint8},   {"<i4", DType::int32},   {"<i8", DType::int64},   {"|b1", DType::boolean}};

// The header's Python literal: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
class Header {
public:
    explicit Header(std::string text) : text_(std::move(text)) {}

    bool parse(DType& dtype, Shape& shape) {
        if (!take("{")) return false;
        for (int entry = 0; entry < 3; ++entry) {
            const std::optional<std::string> key = quoted();
            if (!key || !take(":")) return false;
            if (*key == "descr") {
                const std::optional<std::string> descr = quoted();
                if (!descr || descriptions.count(*descr) == 0) return false;
                dtype = descriptions.at(*descr);
            } else if (*key == "fortran_order") {
                if (!take("False")) return false;
            } else if (*key != "shape" || !tuple(shape)) {
                return false;
            }
            seen_ += *key;
            if (!take(",") && entry < 2) return false;
        }
        return take("}") && text_.find_first_not_of(" \n", at_) == std::string::npos && complete();
    }

private:
    std::string text_, seen_;
    std::size_t at_ = 0;

    bool complete() const {
        for (const char* key : {"descr", "fortran_order", "shape"})
            if (seen_.find(key) == std::string::npos) return false;
        return true;
    }
    void space() {
        while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    }
    bool take(const std::string& word) {
        space();
        if (text_.compare(at_, word.size(), word) != 0) return false;
        at_ += word.size();
        return true;
    }
    std::optional<std::string> quoted() {
        if (!take("'")) return std::nullopt;
        const std::size_t end = text_.find('\'', at_);
        if (end == std::string::npos) return std::nullopt;
        const std::string made = text_.substr(at_, end - at_);
        at_ = end + 1;
        return made;
    }
    bool tuple(Shape& shape) {
        if (!take("(")) return false;
        while (!take(")")) {
            space();
            const std::size_t start = at_;
            while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
            if (at_ == start || at_ - start > 15) return false;
            shape.push_back(std::stoll(text_.substr(start, at_ - start)));
            if (!take(",") && (shape.size() == 1 || text_.compare(at_, 1, ")") != 0)) return false;
        }
        return true;
    }
};

std::uint64_t count_of(const Shape& shape, std::uint64_t most) {
    std::uint64_t count = 1;
    for (const std::int64_t size : shape) {
        if (size == 0) return 0;
        if (size < 0 || count > most / static_cast<std::uint64_t>(size)) return most + 1;
        count *= static_cast<std::uint64_t>(size);
    }
    return count;
}

template <typename T>
T load(const std::uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

double small_float(std::uint32_t bits, int exponent_bits, int mantissa_bits, bool has_infinity) {
    const double sign = (bits >> (exponent_bits + mantissa_bits)) & 1 ? -1.0 : 1.0;
    const int exponent = static_cast<int>((bits >> mantissa_bits) & ((1u << exponent_bits) - 1));
    const std::uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
    const int bias = (1 << (exponent_bits - 1)) - 1, top = (1 << exponent_bits) - 1;
    const std::uint32_t full = (1u << mantissa_bits) - 1;
    if (exponent == top && has_infinity) {
        return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN()
                             : sign * std::numeric_limits<double>::infinity();
    }
    if (exponent == top && mantissa == full) return std::numeric_limits<double>::quiet_NaN();  // E4M3FN
    const double fraction = std::ldexp(static_cast<double>(mantissa), -mantissa_bits);
    return exponent == 0 ? sign * std::ldexp(fraction, 1 - bias) : sign * std::ldexp(1.0 + fraction, exponent - bias);
}

double element(const View& view, std::size_t index) {
    const std::uint8_t* const at = static_cast<const std::uint8_t*>(view.data) + index * bytes_of(view.dtype);
    switch (view.dtype) {
        case DType::float32: return static_cast<double>(load<float>(at));
        case DType::float64: return load<double>(at);
        case DType::float16: return small_float(load<std::uint16_t>(at), 5, 10, true);
        case DType::bfloat16: return small_float(load<std::uint16_t>(at), 8, 7, true);
        case DType::float8: return small_float(*at, 4, 3, false);
        case DType::int8: return static_cast<double>(load<std::int8_t>(at));
        case DType::int32: return static_cast<double>(load<std::int32_t>(at));
        case DType::int64: return static_cast<double>(load<std::int64_t>(at));
        case DType::uint8:
        case DType::boolean: return static_cast<double>(*at);
    }
    return 0;
}

bool keeps(const std::string& metric, double value, double limit) {
    const bool lower = metric == "cosine" || metric == "sqnr_db" || metric == "exact_share";
    return lower ? value >= limit : value <= limit;
}

}  // namespace

View read(const Bytes& content, const std::string& where) {
    const auto refuse = [&where](const std::string& what) -> BundleError {
        return {"golden", where, "not an .npy file: " + what};
    };
    constexpr std::uint8_t magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    constexpr std::size_t start = sizeof magic + 2;
    if (content.size() < start || std::memcmp(content.data(), magic, sizeof magic) != 0)
        throw refuse("not version 1.0");
    const std::size_t length = static_cast<std::size_t>(content[8]) | static_cast<std::size_t>(content[9]) << 8;
    if (content.size() < start + length) throw refuse("it ends in its header");
    View view{DType::float32, {}, content.data() + start + length};
    const auto first = content.begin() + static_cast<std::ptrdiff_t>(start);
    if (!Header(std::string(first, first + static_cast<std::ptrdiff_t>(length))).parse(view.dtype, view.shape))
        throw refuse("its header, dtype or order");
    const std::uint64_t there = content.size() - start - length, size = bytes_of(view.dtype);
    if (there % size != 0 || count_of(view.shape, there / size) != there / size)
        throw refuse("not as many elements as its shape");
    return view;
}

std::vector<std::string> broken_limits(const View& expected, const View& output,
                                       const std::map<std::string, double>& limits) {
    const std::uint64_t most = std::uint64_t{1} << 40;
    const std::uint64_t count = count_of(expected.shape, most);
    if (count_of(output.shape, most) < count)
        throw BundleError("golden", "self-test", "fewer elements came out than are expected");
    double largest = 0, sum = 0, noise = 0, signal = 0, power = 0, product = 0;
    std::uint64_t finite = 0, exact = 0, unlike = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const double e = element(expected, i), y = element(output, i);
        if (!std::isfinite(e) || !std::isfinite(y)) {
            unlike += e == y || (std::isnan(e) && std::isnan(y)) ? 0 : 1;
            continue;
        }
        const double error = std::fabs(y - e);
        ++finite;
        exact += e == y ? 1 : 0;
        largest = std::fmax(largest, error);
        sum += error;
        noise += error * error;
        signal += e * e;
        power += y * y;
        product += y * e;
    }
    std::vector<std::string> broken;
    if (unlike != 0) broken.push_back(std::to_string(unlike) + " elements are NaN or infinite on one side alone");
    if (finite == 0) return broken;
    const double n = static_cast<double>(finite);
    std::map<std::string, double> found = {{"max_abs", largest},
                                           {"mean_abs", sum / n},
                                           {"rmse", std::sqrt(noise / n)},
                                           {"exact_share", static_cast<double>(exact) / n}};
    found["cosine"] = signal > 0 && power > 0 ? product / std::sqrt(signal * power) : (signal == power ? 1.0 : 0.0);
    if (noise > 0)
        found["sqnr_db"] = signal > 0 ? 10 * std::log10(signal / noise) : -std::numeric_limits<double>::infinity();
    for (const auto& [metric, limit] : limits) {
        const auto value = found.find(metric);
        if (value == found.end() || keeps(metric, value->second, limit)) continue;
        std::ostringstream line;
        line.imbue(std::locale::classic());
        line << metric << " is " << value->second << ", the limit is " << limit;
        broken.push_back(line.str());
    }
    return broken;
}

}  // namespace trtbuild::npy
