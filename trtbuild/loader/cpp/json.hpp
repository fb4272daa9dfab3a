// JSON by the rules of docs/bundle.md: RFC 8259, no key twice, at most 32 deep, integers within 2^53, valid UTF-8.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace trtbuild::json {

enum class Kind { null, boolean, integer, number, string, array, object };

struct Value {
    Kind kind = Kind::null;
    bool boolean = false;
    double number = 0;  // integers, too: within 2^53 a double holds them exactly
    std::string string;
    std::vector<Value> array;
    std::map<std::string, Value> object;

    const Value* find(const std::string& key) const {
        const auto found = object.find(key);
        return kind == Kind::object && found != object.end() ? &found->second : nullptr;
    }
};

Value parse(const std::string& text);  // throws std::runtime_error with what is wrong

}  // namespace trtbuild::json
