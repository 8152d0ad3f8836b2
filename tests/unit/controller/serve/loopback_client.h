// A plain blocking socket to a server on this machine, for tests that send what no well-behaved client would.
#pragma once

#include <cstdint>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace convoke::serve {

class LoopbackClient {
 public:
  explicit LoopbackClient(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~LoopbackClient() { close(fd_); }
  LoopbackClient(const LoopbackClient&) = delete;
  LoopbackClient& operator=(const LoopbackClient&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }

  void send_text(const std::string& text) { (void)send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }

  // Everything until the server closes the connection.
  std::string read_to_end() {
    std::string all;
    while (read_some(all)) {
    }
    return all;
  }

  // Until what came ends with `suffix`, or the connection does.
  std::string read_until(const std::string& suffix) {
    std::string all;
    while (!all.ends_with(suffix) && read_some(all)) {
    }
    return all;
  }

 private:
  bool read_some(std::string& out) {
    char bytes[4096];
    const auto count = recv(fd_, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    out.append(bytes, static_cast<std::size_t>(count));
    return true;
  }

  int fd_;
  bool connected_ = false;
};

}  // namespace convoke::serve
