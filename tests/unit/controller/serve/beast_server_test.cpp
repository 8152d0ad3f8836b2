#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/clock.h"
#include "controller/serve/http_server.h"
#include "tests/unit/controller/serve/loopback_client.h"

namespace convoke::serve {
namespace {

using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const std::string kClose = "Host: x\r\nConnection: close\r\n\r\n";

class HttpServerTest : public testing::Test {
 protected:
  std::unique_ptr<HttpServer> serve(ServeHandler handler, HttpServerOptions options = {}) {
    auto server = make_http_server(clock_, "127.0.0.1:0", std::move(handler), options);
    const Status started = server->start();
    EXPECT_TRUE(started) << started.error().message;
    return server;
  }

  static std::string exchange(const HttpServer& server, const std::string& request) {
    LoopbackClient client(server.port());
    client.send_text(request);
    return client.read_to_end();
  }

  static ServeResponse hello(const ServeRequest&) { return {200, "text/plain", "hello"}; }

  SystemClock clock_;
};

TEST_F(HttpServerTest, SlowlorisConnectionIsCut) {
  const auto server = serve(hello, {.timeout = milliseconds(50)});
  LoopbackClient slow(server->port());
  slow.send_text("GET / HTTP/1.1\r\nHost: x\r\nX-Drip: ");
  EXPECT_THAT(slow.read_to_end(), IsEmpty());
  EXPECT_THAT(exchange(*server, "GET / HTTP/1.1\r\n" + kClose), EndsWith("hello"));
}

TEST_F(HttpServerTest, BytesThatDripInDoNotProlongTheDeadline) {
  const auto server = serve(hello, {.timeout = milliseconds(60)});
  LoopbackClient slow(server->port());
  std::atomic<bool> cut = false;
  const auto dripper = clock_.start_thread("dripper", [&] {
    StopSignal pause(clock_);
    slow.send_text("GET / HTTP/1.1\r\nX-Drip: ");
    while (!cut) {
      slow.send_text("a");
      pause.sleep_for(milliseconds(10));
    }
  });
  EXPECT_THAT(slow.read_to_end(), IsEmpty());
  cut = true;
  dripper->join();
}

TEST_F(HttpServerTest, OversizedHeaderIsRefused) {
  const auto server = serve(hello);
  const auto answer =
      exchange(*server, "GET / HTTP/1.1\r\nX-Big: " + std::string(20'000, 'a') + "\r\n" + kClose);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
}

TEST_F(HttpServerTest, BodyIsRefused) {
  const auto server = serve(hello);
  EXPECT_THAT(exchange(*server, "GET / HTTP/1.1\r\nContent-Length: 3\r\n" + kClose + "abc"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(exchange(*server,
                       "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + kClose + "3\r\nabc\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, NonsenseIsABadRequest) {
  const auto server = serve(hello);
  EXPECT_THAT(exchange(*server, "\x16\x03\x01 tls?\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(HttpServerTest, OtherMethodsAreNotAllowed) {
  const auto server = serve(hello);
  const auto answer = exchange(*server, "DELETE / HTTP/1.1\r\n" + kClose);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD"));
}

TEST_F(HttpServerTest, HandlerThatThrowsAnswers500AndTheServerGoesOn) {
  const auto server = serve([](const ServeRequest& request) -> ServeResponse {
    if (request.path == "/bad") throw std::runtime_error("no luck");
    return {200, "text/plain", "fine"};
  });
  EXPECT_THAT(exchange(*server, "GET /bad HTTP/1.1\r\n" + kClose), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(exchange(*server, "GET /good HTTP/1.1\r\n" + kClose), EndsWith("fine"));
}

TEST_F(HttpServerTest, AddressThatCannotBeReadIsInvalid) {
  for (const std::string address : {"8080", ":http", ":70000", "::1:80", "no.such.host:80", ":"}) {
    const Status status = make_http_server(clock_, address, hello)->start();
    ASSERT_FALSE(status) << address;
    EXPECT_EQ(status.error().code, ErrorCode::Invalid) << address;
    EXPECT_THAT(status.error().message, HasSubstr('"' + address + '"'));
  }
}

TEST_F(HttpServerTest, AddressThatIsTakenIsUnavailable) {
  const auto first = serve(hello);
  const Status status =
      make_http_server(clock_, "127.0.0.1:" + std::to_string(first->port()), hello)->start();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::Unavailable);
}

TEST_F(HttpServerTest, ConnectionsAboveTheLimitWaitForAFreePlace) {
  const auto server = serve(hello, {.timeout = milliseconds(50), .max_connections = 2});
  LoopbackClient idle_one(server->port());
  LoopbackClient idle_two(server->port());
  EXPECT_THAT(exchange(*server, "GET / HTTP/1.1\r\n" + kClose), EndsWith("hello"));
  EXPECT_THAT(idle_one.read_to_end(), IsEmpty());
  EXPECT_THAT(idle_two.read_to_end(), IsEmpty());
}

TEST_F(HttpServerTest, PathAndQueryReachTheHandlerApart) {
  const auto server = serve([](const ServeRequest& request) -> ServeResponse {
    return {200, "text/plain", request.method + " " + request.path + " " + request.query};
  });
  EXPECT_THAT(exchange(*server, "GET /readyz?verbose&exclude=a HTTP/1.1\r\n" + kClose),
              EndsWith("\r\n\r\nGET /readyz verbose&exclude=a"));
}

TEST_F(HttpServerTest, HeadAnswersWithoutABody) {
  const auto server = serve(hello);
  const auto answer = exchange(*server, "HEAD / HTTP/1.1\r\n" + kClose);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 5"));
  EXPECT_THAT(answer, Not(HasSubstr("hello")));
}

TEST_F(HttpServerTest, ConnectionIsKeptForTheNextRequest) {
  const auto server = serve(hello);
  LoopbackClient client(server->port());
  for (int i = 0; i < 3; ++i) {
    client.send_text("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(client.read_until("hello"), EndsWith("\r\n\r\nhello"));
  }
}

TEST_F(HttpServerTest, ConcurrentScrapesAreAllAnsweredWhole) {
  const std::string body(300'000, 'm');
  const auto server = serve([&](const ServeRequest&) -> ServeResponse { return {200, "text/plain", body}; });
  std::atomic<int> whole = 0;
  std::vector<std::unique_ptr<Thread>> scrapers;
  for (int i = 0; i < 16; ++i) {
    scrapers.push_back(clock_.start_thread("scraper", [&] {
      if (exchange(*server, "GET /metrics HTTP/1.1\r\n" + kClose).ends_with("\r\n\r\n" + body)) ++whole;
    }));
  }
  for (const auto& scraper : scrapers) scraper->join();
  EXPECT_EQ(whole, 16);
}

TEST_F(HttpServerTest, StopEndsIdleConnectionsAtOnceAndRefusesNewOnes) {
  const auto server = serve(hello);
  const int port = server->port();
  LoopbackClient idle(port);
  idle.send_text("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  idle.read_until("hello");
  server->stop();
  EXPECT_THAT(idle.read_to_end(), IsEmpty());
  EXPECT_FALSE(LoopbackClient(port).connected());
  server->stop();  // again: harmless
}

TEST_F(HttpServerTest, ListensOnAllInterfacesWithoutAHost) {
  const auto server = make_http_server(clock_, ":0", hello);
  ASSERT_TRUE(server->start());
  EXPECT_THAT(exchange(*server, "GET / HTTP/1.1\r\n" + kClose), EndsWith("hello"));
}

}  // namespace
}  // namespace convoke::serve
