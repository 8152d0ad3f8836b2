// A TCP server on loopback that does exactly what a test says, for what no well-behaved HTTP server does.
//
// Each connection is served on a thread of its own. Requests are kept as they came, in the order of their
// arrival.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"

namespace convoke::kube {

class RawServer {
 public:
  class Connection {
   public:
    Connection(RawServer& server, int socket) : server_(server), socket_(socket) {}
    // Waits for the next request, head and body. Its number, counted over all connections from 1; 0 if the
    // client has gone.
    std::size_t read_request();
    void write(const std::string& bytes);

   private:
    RawServer& server_;
    int socket_;
    std::string buffer_;
  };
  // Serves one connection, which is closed afterwards.
  using Serve = std::function<void(Connection& connection)>;

  RawServer(Clock& clock, Serve serve, bool ipv6 = false);
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  // False if this machine has no such address.
  bool listening() const { return port_ != 0; }
  // "http://127.0.0.1:PORT"
  std::string url() const;
  std::vector<std::string> requests() const;

 private:
  struct Served {
    int socket;
    std::unique_ptr<Thread> thread;
  };

  void accept_all();

  Clock& clock_;
  const Serve serve_;
  const bool ipv6_;
  int listener_ = -1;
  int port_ = 0;
  mutable Mutex mutex_;
  std::vector<std::string> requests_ GUARDED_BY(mutex_);
  std::vector<Served> served_;  // of the accepting thread, until it ended
  std::unique_ptr<Thread> thread_;
};

// An answer with a Content-Length.
std::string http_answer(const std::string& status_line, const std::string& body);

}  // namespace convoke::kube
