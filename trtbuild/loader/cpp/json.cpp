#include "json.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <locale>
#include <sstream>
#include <stdexcept>

namespace trtbuild::json {
namespace {

constexpr int max_depth = 32;
constexpr double largest_integer = 9007199254740992.0;  // 2^53

class Parser {
public:
    explicit Parser(const std::string& text) : text_(text) {}

    Value document() {
        check_utf8();
        Value value = any(1);
        space();
        if (at_ != text_.size()) fail("something after the document");
        return value;
    }

private:
    const std::string& text_;
    std::size_t at_ = 0;

    [[noreturn]] void fail(const std::string& what) const {
        throw std::runtime_error(what + " (byte " + std::to_string(at_) + ")");
    }
    int peek() const { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : -1; }
    void space() {
        while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++at_;
    }
    bool accept(char c) {
        if (peek() != static_cast<unsigned char>(c)) return false;
        ++at_;
        return true;
    }
    void expect(char c) {
        if (!accept(c)) fail(std::string("expected ") + c);
    }
    bool word(const char* letters) {
        const std::string wanted(letters);
        if (text_.compare(at_, wanted.size(), wanted) != 0) return false;
        at_ += wanted.size();
        return true;
    }

    Value any(int depth) {
        space();
        Value value;
        const int c = peek();
        if (c == '{' || c == '[') {
            if (depth > max_depth) fail("nested too deep");
            return c == '{' ? object(depth) : array(depth);
        }
        if (c == '"') {
            value.kind = Kind::string;
            value.string = quoted();
        } else if (word("true") || word("false")) {
            value.kind = Kind::boolean;
            value.boolean = text_[at_ - 2] == 'u';  // tr-u-e, fal-s-e
        } else if (!word("null")) {
            return number();
        }
        return value;
    }

    Value object(int depth) {
        Value value;
        value.kind = Kind::object;
        expect('{');
        space();
        if (accept('}')) return value;
        do {
            space();
            if (peek() != '"') fail("expected a key");
            const std::string key = quoted();
            space();
            expect(':');
            if (!value.object.emplace(key, any(depth + 1)).second) fail("a key occurs twice");
            space();
        } while (accept(','));
        expect('}');
        return value;
    }

    Value array(int depth) {
        Value value;
        value.kind = Kind::array;
        expect('[');
        space();
        if (accept(']')) return value;
        do {
            value.array.push_back(any(depth + 1));
            space();
        } while (accept(','));
        expect(']');
        return value;
    }

    Value number() {
        const std::size_t start = at_;
        const auto digits = [this] {
            const std::size_t first = at_;
            while (peek() >= '0' && peek() <= '9') ++at_;
            if (at_ == first) fail("expected a value");
        };
        Value value;
        value.kind = Kind::integer;
        accept('-');
        if (!accept('0')) digits();
        if (accept('.')) {
            value.kind = Kind::number;
            digits();
        }
        if (accept('e') || accept('E')) {
            value.kind = Kind::number;
            if (!accept('+')) accept('-');
            digits();
        }
        const std::string written = text_.substr(start, at_ - start);
        std::istringstream stream(written);
        stream.imbue(std::locale::classic());
        stream >> value.number;
        // A failed conversion is an overflow, or an underflow, which libstdc++ reports with a finite number.
        if ((stream.fail() && std::fabs(value.number) > 1) || !std::isfinite(value.number)) fail("a number too large");
        if (value.kind == Kind::integer && !small(written)) fail("an integer beyond 2^53");
        return value;
    }

    // Compared as text: a double rounds 2^53 + 1 to 2^53.
    static bool small(const std::string& written) {
        const std::string digits = written.substr(written[0] == '-' ? 1 : 0);
        const std::string limit = "9007199254740992";
        return digits.size() < limit.size() || (digits.size() == limit.size() && digits <= limit);
    }

    std::string quoted() {
        expect('"');
        std::string made;
        while (true) {
            const int c = peek();
            if (c < 0x20) fail("a string that does not end, or a control character in it");
            ++at_;
            if (c == '"') return made;
            if (c != '\\') {
                made.push_back(static_cast<char>(c));
                continue;
            }
            const int escaped = peek();
            ++at_;
            switch (escaped) {
                case '"':
                case '\\':
                case '/': made.push_back(static_cast<char>(escaped)); break;
                case 'b': made.push_back('\b'); break;
                case 'f': made.push_back('\f'); break;
                case 'n': made.push_back('\n'); break;
                case 'r': made.push_back('\r'); break;
                case 't': made.push_back('\t'); break;
                case 'u': append(made, code_point()); break;
                default: fail("an unknown escape");
            }
        }
    }

    std::uint32_t hex4() {
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i) {
            const int c = peek();
            ++at_;
            value *= 16;
            if (c >= '0' && c <= '9')
                value += static_cast<std::uint32_t>(c - '0');
            else if (c >= 'a' && c <= 'f')
                value += static_cast<std::uint32_t>(c - 'a' + 10);
            else if (c >= 'A' && c <= 'F')
                value += static_cast<std::uint32_t>(c - 'A' + 10);
            else
                fail("not four hex digits");
        }
        return value;
    }

    std::uint32_t code_point() {
        const std::uint32_t first = hex4();
        if (first < 0xD800 || first > 0xDFFF) return first;
        if (first > 0xDBFF || !word("\\u")) fail("half a surrogate pair");
        const std::uint32_t second = hex4();
        if (second < 0xDC00 || second > 0xDFFF) fail("half a surrogate pair");
        return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    }

    static void append(std::string& made, std::uint32_t code) {
        const auto put = [&made](std::uint32_t byte) { made.push_back(static_cast<char>(byte)); };
        if (code < 0x80) return put(code);
        if (code < 0x800) {
            put(0xC0 | code >> 6);
        } else {
            if (code < 0x10000) {
                put(0xE0 | code >> 12);
            } else {
                put(0xF0 | code >> 18);
                put(0x80 | ((code >> 12) & 0x3F));
            }
            put(0x80 | ((code >> 6) & 0x3F));
        }
        put(0x80 | (code & 0x3F));
    }

    // No overlong forms, no surrogates, nothing beyond U+10FFFF.
    void check_utf8() const {
        const auto byte = [this](std::size_t i) {
            return i < text_.size() ? static_cast<unsigned char>(text_[i]) : static_cast<unsigned char>(0);
        };
        for (std::size_t i = 0; i < text_.size();) {
            const unsigned char c = byte(i);
            const std::size_t more = c < 0x80                ? 0
                                     : c >= 0xC2 && c < 0xE0 ? 1
                                     : c >= 0xE0 && c < 0xF0 ? 2
                                     : c >= 0xF0 && c < 0xF5 ? 3
                                                             : 9;
            const unsigned char second = byte(i + 1);
            bool good = more != 9;
            if (c == 0xE0) good = second >= 0xA0;
            if (c == 0xED) good = second < 0xA0;
            if (c == 0xF0) good = second >= 0x90;
            if (c == 0xF4) good = second < 0x90;
            for (std::size_t k = 1; good && k <= more; ++k) good = (byte(i + k) & 0xC0) == 0x80;
            if (!good) throw std::runtime_error("not UTF-8 (byte " + std::to_string(i) + ")");
            i += more + 1;
        }
    }
};

}  // namespace

Value parse(const std::string& text) { return Parser(text).document(); }

}  // namespace trtbuild::json
