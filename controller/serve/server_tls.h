// The certificate that a server shows: an SSL context made of two files, and made again when they change.
//
// Used by one thread; what current() gives may be used by others. Errors: Invalid, naming the file.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/ssl/context.hpp>

#include "controller/base/clock.h"
#include "controller/base/result.h"
#include "controller/serve/http_server.h"

namespace convoke::serve {

class ServerTls {
 public:
  using Context = std::shared_ptr<boost::asio::ssl::context>;

  ServerTls(Clock& clock, TlsFiles files, std::function<void(const Error&)> on_problem);

  Status load();
  // After load(). The files are looked at every ten seconds at most.
  Context current();

 private:
  // Both texts, to see that they changed; nothing is known of a file but what stands in it.
  struct Texts {
    std::string certificate;
    std::string key;
    bool operator==(const Texts&) const = default;
  };

  Result<Texts> read() const;
  Result<Context> make(const Texts& texts) const;

  Clock& clock_;
  const TlsFiles files_;
  const std::function<void(const Error&)> on_problem_;
  Context context_;
  Texts texts_;          // that the context was made of
  std::string problem_;  // that was told last
  MonotonicTime next_look_;
};

}  // namespace convoke::serve
