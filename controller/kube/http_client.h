// HTTP to hosts that are not the API server, and that nobody vouches for: the seam between Convoke and the
// services of other people. BeastHttpClient (beast_http_client.h) is the real one; tests give one that
// answers in the same process.
//
// Each request has a connection of its own, so that none is ever sent twice behind its sender's back; no
// redirect is followed; headers and body of the answer are bounded.
//
// Thread safety: an HttpClient may be called from every thread; calls block the calling thread until the
// request's deadline at most (a host name that cannot be resolved may take as long as the resolver does).
// Errors: Unavailable (no answer; with the reason kNotConnected if nothing of the request can have been
// sent), Timeout, Cancelled, Invalid (what came is no HTTP, or is too large; an address that is not allowed,
// with kNotConnected). An answer of any HTTP status is no error here.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "controller/base/mutex.h"
#include "controller/base/result.h"
#include "controller/kube/server_url.h"
#include "controller/kube/transport.h"

namespace convoke::kube {

// Error::reason where the request never left.
inline constexpr char kNotConnected[] = "NotConnected";

struct HttpTarget {
  ServerUrl server;    // its path_prefix is not used: the request's path is whole
  std::string ca_pem;  // for https; empty: the system's CAs
};

// Ends one request from another thread. Thread-safe.
class HttpCancel {
 public:
  void cancel() {
    std::function<void()> end;
    {
      const MutexLock lock(mutex_);
      cancelled_ = true;
      end = end_;
    }
    if (end) end();
  }
  bool cancelled() const {
    const MutexLock lock(mutex_);
    return cancelled_;
  }
  // What cancel() calls, from now on; for HttpClients. It may still be called, once, while another one is
  // set: so it owns what it uses.
  void on_cancel(std::function<void()> end) {
    const MutexLock lock(mutex_);
    end_ = std::move(end);
  }

 private:
  mutable Mutex mutex_;
  bool cancelled_ GUARDED_BY(mutex_) = false;
  std::function<void()> end_ GUARDED_BY(mutex_);
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  virtual Result<HttpResponse> send(const HttpTarget& target, const HttpRequest& request,
                                    HttpCancel& cancel) = 0;
};

}  // namespace convoke::kube
