// Small helpers to build the JSON of a status or a spec: what is empty is left out. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reconcilers/api/common.h"

namespace convoke::api {

void put_text(Json& object, const char* key, const std::string& text);
// Zero is left out.
void put_number(Json& object, const char* key, std::int64_t number);
// False is left out.
void put_flag(Json& object, const char* key, bool flag);
// The JSON that the text stands for; left out if it is empty or is not JSON.
void put_raw(Json& object, const char* key, const RawJson& text);
// An empty list or object is left out.
void put_filled(Json& object, const char* key, Json value);

// With at most four decimals: "0.97", "12".
std::string format_decimal(double number);

// The body of a write of the status subresource. The uid makes the API server refuse it for a successor of
// that name.
Json status_body(const kube::ResourceType& type, const kube::ObjectMeta& meta, Json status);
kube::ObjectReference reference_to(const kube::ResourceType& type, const kube::ObjectMeta& meta);

}  // namespace convoke::api
