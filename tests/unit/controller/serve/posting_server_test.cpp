// The server as it takes requests with a body: limits, threads for handlers, TLS.
#include <atomic>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "controller/base/clock.h"
#include "controller/serve/http_server.h"
#include "tests/unit/controller/kube/test_certificates.h"
#include "tests/unit/controller/serve/loopback_client.h"

namespace convoke::serve {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class PostingServerTest : public testing::Test {
 protected:
  static HttpServerOptions options() {
    HttpServerOptions options;
    options.timeout = 2s;
    options.max_body_bytes = 100;
    options.workers = 2;
    return options;
  }

  std::unique_ptr<HttpServer> serve(ServeHandler handler,
                                    HttpServerOptions options = PostingServerTest::options()) {
    auto server = make_http_server(clock_, "127.0.0.1:0", std::move(handler), std::move(options));
    const Status started = server->start();
    EXPECT_TRUE(started) << started.error().message;
    return server;
  }

  static ServeResponse echo(const ServeRequest& request) {
    return {202,
            "text/plain",
            request.method + " " + request.headers.at("x-name") + " " + request.body,
            {{"Retry-After", "7"}}};
  }

  static std::string post(const std::string& body, const std::string& more = "") {
    return "POST /events HTTP/1.1\r\nHost: x\r\nX-Name: n\r\nConnection: close\r\n" + more +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  static std::string exchange(const HttpServer& server, const std::string& request) {
    LoopbackClient client(server.port());
    client.send_text(request);
    return client.read_to_end();
  }

  SystemClock clock_;
};

TEST_F(PostingServerTest, BodyAndHeadersReachTheHandler) {
  const auto server = serve(echo);
  const auto answer = exchange(*server, post("hello"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 202 "));
  EXPECT_THAT(answer, HasSubstr("Retry-After: 7\r\n"));
  EXPECT_THAT(answer, EndsWith("POST n hello"));
}

TEST_F(PostingServerTest, ABodyThatComesInChunksIsPutTogether) {
  const auto server = serve(echo);
  EXPECT_THAT(exchange(*server,
                       "POST / HTTP/1.1\r\nHost: x\r\nX-Name: n\r\nConnection: close\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
              EndsWith("POST n hello"));
}

TEST_F(PostingServerTest, ABodyAboveTheLimitIsRefused) {
  const auto server = serve(echo);
  EXPECT_THAT(exchange(*server, post(std::string(101, 'x'))), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(exchange(*server, post(std::string(100, 'x'))), StartsWith("HTTP/1.1 202 "));
  EXPECT_THAT(
      exchange(*server,
               "POST / HTTP/1.1\r\nHost: x\r\nX-Name: n\r\nTransfer-Encoding: chunked\r\n\r\n100\r\n" +
                   std::string(256, 'x') + "\r\n0\r\n\r\n"),
      StartsWith("HTTP/1.1 413 "));
}

TEST_F(PostingServerTest, WhoAsksWhetherToGoOnIsToldSo) {
  const auto server = serve(echo);
  LoopbackClient client(server->port());
  client.send_text(
      "POST / HTTP/1.1\r\nHost: x\r\nX-Name: n\r\nConnection: close\r\nExpect: 100-continue\r\n"
      "Content-Length: 5\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send_text("hello");
  EXPECT_THAT(client.read_to_end(), EndsWith("POST n hello"));
}

TEST_F(PostingServerTest, OtherMethodsAreNotAllowed) {
  const auto server = serve(echo);
  EXPECT_THAT(exchange(*server, "DELETE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              testing::AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD, POST")));
}

TEST_F(PostingServerTest, ABodyThatDripsInIsCutAtTheDeadline) {
  auto quick = options();
  quick.timeout = 50ms;
  const auto server = serve(echo, quick);
  LoopbackClient client(server->port());
  client.send_text("POST / HTTP/1.1\r\nHost: x\r\nX-Name: n\r\nContent-Length: 5\r\n\r\nhe");
  EXPECT_THAT(client.read_to_end(), IsEmpty());
}

TEST_F(PostingServerTest, ASlowHandlerHoldsUpNobodyElse) {
  std::mutex slow;
  slow.lock();
  std::atomic<bool> waits = false;
  const auto server = serve([&](const ServeRequest& request) -> ServeResponse {
    if (request.body == "slow") {
      waits = true;
      const std::lock_guard wait(slow);
    }
    return {202, "text/plain", request.body};
  });
  LoopbackClient client(server->port());
  client.send_text(post("slow"));
  while (!waits) std::this_thread::yield();
  EXPECT_THAT(exchange(*server, post("quick")), EndsWith("quick"));
  slow.unlock();
  EXPECT_THAT(client.read_to_end(), EndsWith("slow"));
}

TEST_F(PostingServerTest, WhatIsUnderWayIsAnsweredBeforeTheServerEnds) {
  std::mutex slow;
  slow.lock();
  std::atomic<bool> waits = false;
  const auto server = serve([&](const ServeRequest&) -> ServeResponse {
    waits = true;
    const std::lock_guard wait(slow);
    return {202, "text/plain", "done"};
  });
  LoopbackClient client(server->port());
  client.send_text(post("x"));
  while (!waits) std::this_thread::yield();
  std::thread stopper([&] { server->stop(); });
  slow.unlock();
  EXPECT_THAT(client.read_to_end(), EndsWith("done"));
  stopper.join();
}

TEST_F(PostingServerTest, AHandlerThatThrowsAnswers500) {
  const auto server = serve(echo);
  EXPECT_THAT(
      exchange(*server, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
      StartsWith("HTTP/1.1 500 "));
}

class TlsServerTest : public PostingServerTest {
 protected:
  TlsServerTest() { write(kube::make_test_certificate("localhost")); }

  // Each test is a process of its own, and they run side by side.
  static std::string path(const std::string& name) {
    return testing::TempDir() + "convoke-serve-" + std::to_string(::getpid()) + "-" + name;
  }
  static void write(const kube::TestCertificate& certificate) {
    std::ofstream(path("tls.crt")) << certificate.certificate_pem;
    std::ofstream(path("tls.key")) << certificate.key_pem;
  }
  static HttpServerOptions secured() {
    auto result = options();
    result.tls = TlsFiles{path("tls.crt"), path("tls.key")};
    return result;
  }
  Status start(HttpServerOptions options) {
    return make_http_server(clock_, "127.0.0.1:0", echo, std::move(options))->start();
  }
};

// A client that believes every certificate.
std::string exchange_secured(int port, const std::string& request) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
  LoopbackClient socket(port);
  const std::unique_ptr<SSL, decltype(&SSL_free)> connection(SSL_new(context.get()), &SSL_free);
  SSL_set_fd(connection.get(), socket.fd());
  if (SSL_connect(connection.get()) != 1) return "no handshake";
  SSL_write(connection.get(), request.data(), static_cast<int>(request.size()));
  std::string all;
  char bytes[4096];
  for (int count = 0; (count = SSL_read(connection.get(), bytes, sizeof bytes)) > 0;) {
    all.append(bytes, static_cast<std::size_t>(count));
  }
  return all;
}

TEST_F(TlsServerTest, RequestsComeOverTls) {
  const auto server = serve(echo, secured());
  EXPECT_THAT(exchange_secured(server->port(), post("hello")), EndsWith("POST n hello"));
  EXPECT_THAT(exchange_secured(server->port(), post(std::string(101, 'x'))), StartsWith("HTTP/1.1 413 "));
}

TEST_F(TlsServerTest, WhoSpeaksNoTlsGetsNoAnswer) {
  const auto server = serve(echo, secured());
  EXPECT_THAT(exchange(*server, post("hello")), testing::Not(HasSubstr("HTTP/1.1 2")));
  EXPECT_THAT(exchange_secured(server->port(), post("hello")), EndsWith("POST n hello"));
}

TEST_F(TlsServerTest, FilesThatCannotBeUsedAreToldAtTheStart) {
  const auto other = kube::make_test_certificate("other");
  std::ofstream(path("tls.key")) << other.key_pem;
  EXPECT_THAT(start(secured()).error().message, HasSubstr("key values mismatch"));
  std::ofstream(path("tls.key")) << "nonsense";
  EXPECT_THAT(start(secured()).error().message, HasSubstr("is no private key of"));
  std::ofstream(path("tls.crt")) << "nonsense";
  EXPECT_THAT(start(secured()).error().message, HasSubstr("is no certificate"));
  auto missing = secured();
  missing.tls->certificate = path("none");
  EXPECT_THAT(start(missing).error().message, HasSubstr("cannot read"));
}

}  // namespace
}  // namespace convoke::serve
