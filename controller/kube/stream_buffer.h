// cpprestsdk's idea of a body, reduced to the one operation that each direction needs.
//
// Threads: called on cpprestsdk's pool threads, one call at a time for each buffer; nothing here blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <cpprest/streams.h>

namespace convoke::kube {

// Takes a response's bytes.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // The bytes are valid until the task completes; no further call comes before that. The task always
  // completes.
  virtual pplx::task<std::size_t> put(const std::uint8_t* bytes, std::size_t count) = 0;
};

concurrency::streams::ostream make_response_stream(std::shared_ptr<ByteSink> sink);

// A request's body. It cannot be rewound, and that is the point: cpprestsdk would otherwise send a POST, PUT
// or PATCH a second time when the first one met a connection that the server had closed.
concurrency::streams::istream make_request_stream(std::string body);

}  // namespace convoke::kube
