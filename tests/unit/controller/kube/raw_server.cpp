#include "tests/unit/controller/kube/raw_server.h"

#include <array>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace convoke::kube {
namespace {

std::size_t content_length(const std::string& head) {
  const std::string name = "Content-Length:";
  const auto found = head.find(name);
  return found == std::string::npos ? 0 : std::stoul(head.substr(found + name.size()));
}

// Binds and listens; returns the port, or 0.
int listen_on_loopback(int socket, bool ipv6) {
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_addr = in6addr_loopback;
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* address = ipv6 ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&four);
  socklen_t size = ipv6 ? sizeof(six) : sizeof(four);
  if (bind(socket, address, size) != 0 || listen(socket, 16) != 0) return 0;
  if (getsockname(socket, address, &size) != 0) return 0;
  return ntohs(ipv6 ? six.sin6_port : four.sin_port);
}

}  // namespace

RawServer::RawServer(Clock& clock, Serve serve, bool ipv6)
    : clock_(clock), serve_(std::move(serve)), ipv6_(ipv6) {
  listener_ = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  port_ = listen_on_loopback(listener_, ipv6);
  if (listening()) thread_ = clock.start_thread("raw-server", [this] { accept_all(); });
}

RawServer::~RawServer() {
  shutdown(listener_, SHUT_RDWR);
  if (thread_) thread_->join();
  for (const auto& connection : served_) shutdown(connection.socket, SHUT_RDWR);
  for (const auto& connection : served_) {
    connection.thread->join();
    close(connection.socket);
  }
  close(listener_);
}

std::string RawServer::url() const {
  return std::string(ipv6_ ? "http://[::1]:" : "http://127.0.0.1:") + std::to_string(port_);
}

std::vector<std::string> RawServer::requests() const {
  const MutexLock lock(mutex_);
  return requests_;
}

void RawServer::accept_all() {
  while (true) {
    const int accepted = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted < 0) return;
    served_.push_back({accepted, clock_.start_thread("raw-connection", [this, accepted] {
                         Connection connection(*this, accepted);
                         serve_(connection);
                         shutdown(accepted, SHUT_RDWR);
                       })});
  }
}

std::size_t RawServer::Connection::read_request() {
  std::array<char, 4096> bytes{};
  std::size_t needed = 0;
  while (true) {
    const auto end_of_head = buffer_.find("\r\n\r\n");
    if (end_of_head != std::string::npos) {
      needed = end_of_head + 4 + content_length(buffer_.substr(0, end_of_head));
      if (buffer_.size() >= needed) break;
    }
    const auto count = recv(socket_, bytes.data(), bytes.size(), 0);
    if (count <= 0) return 0;
    buffer_.append(bytes.data(), static_cast<std::size_t>(count));
  }
  const MutexLock lock(server_.mutex_);
  server_.requests_.push_back(buffer_.substr(0, needed));
  buffer_.erase(0, needed);
  return server_.requests_.size();
}

void RawServer::Connection::write(const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const auto count = send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<std::size_t>(count);
  }
}

std::string http_answer(const std::string& status_line, const std::string& body) {
  return "HTTP/1.1 " + status_line + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace convoke::kube
