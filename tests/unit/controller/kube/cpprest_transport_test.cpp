// What only a misbehaving server shows; TLS and credentials are met by tests/integration/transport_test.cpp.
#include "controller/kube/cpprest_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/kube/raw_server.h"

namespace convoke::kube {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

class CpprestTransport : public testing::Test {
 protected:
  void serve(RawServer::Serve script, bool ipv6 = false, const std::string& prefix = "") {
    server = std::make_unique<RawServer>(clock, std::move(script), ipv6);
    ASSERT_TRUE(server->listening()) << "these tests need 127.0.0.1 and ::1";
    ClusterConfig config;
    config.server = server->url() + prefix;
    config.token = "secret";
    TransportOptions options;
    options.user_agent = "convoke-test/1";
    auto made = make_cpprest_transport(config, clock, Logger(), options);
    ASSERT_TRUE(made) << made.error().message;
    transport = std::move(*made);
  }
  static HttpRequest post(const std::string& body) { return {"POST", "/x", body, "application/json"}; }

  SystemClock clock;
  std::unique_ptr<RawServer> server;
  std::unique_ptr<Transport> transport;  // goes before the server, whose connections it closes
};

TEST_F(CpprestTransport, AWriteOnAStaleConnectionIsNotSentTwice) {
  // As a server does whose idle timeout meets our next request.
  serve([](RawServer::Connection& connection) {
    while (connection.read_request() == 1) connection.write(http_answer("200 OK", "{}"));
  });
  ASSERT_TRUE(transport->send(post("1")));
  const auto second = transport->send(post("2"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::Unavailable);
  EXPECT_THAT(server->requests(), SizeIs(2));
}

TEST_F(CpprestTransport, AnAnswerThatBreaksOffIsUnavailable) {
  serve([](RawServer::Connection& connection) {
    connection.write(connection.read_request() == 1
                         ? "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"
                         : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc");
  });
  for (int i = 0; i < 2; ++i) {
    const auto response = transport->send({"GET", "/x"});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::Unavailable);
    EXPECT_THAT(response.error().message, StartsWith("no answer from 127.0.0.1:"));
  }
}

TEST_F(CpprestTransport, AStreamThatBreaksOffGivesWhatCameAndThenUnavailable) {
  serve([](RawServer::Connection& connection) {
    connection.read_request();
    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n5\r\n");
  });
  const auto stream = transport->open_stream({"GET", "/x"});
  ASSERT_TRUE(stream) << stream.error().message;
  EXPECT_EQ(*stream->body->read(), "abcd");
  const auto end = stream->body->read();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ErrorCode::Unavailable);
}

TEST_F(CpprestTransport, GarbageInsteadOfHttpIsUnavailable) {
  serve([](RawServer::Connection& connection) {
    connection.read_request();
    connection.write("220 mail.example.org ESMTP\r\n\r\n");
  });
  EXPECT_EQ(transport->send({"GET", "/x"}).error().code, ErrorCode::Unavailable);
}

TEST_F(CpprestTransport, SilenceEndsAtTheDeadline) {
  serve([](RawServer::Connection& connection) {
    while (connection.read_request() != 0) {
    }
  });
  HttpRequest request{"GET", "/x"};
  request.deadline = 20ms;
  EXPECT_EQ(transport->send(request).error().code, ErrorCode::Timeout);
  EXPECT_EQ(transport->open_stream(request).error().code, ErrorCode::Timeout);
}

TEST_F(CpprestTransport, ARedirectIsAnAnswerAndNotFollowed) {
  serve([](RawServer::Connection& connection) {
    connection.read_request();
    connection.write("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
  });
  const auto response = transport->send({"GET", "/x"});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 302);
  EXPECT_EQ(response->headers.at("location"), "/elsewhere");
  EXPECT_THAT(server->requests(), SizeIs(1));
}

TEST_F(CpprestTransport, TheRequestGoesOutAsItWasGiven) {
  serve(
      [](RawServer::Connection& connection) {
        connection.read_request();
        connection.write(http_answer("201 Created", "ok"));
      },
      false, "/clusters/a");
  HttpRequest request = post(std::string(200'000, 'x'));
  request.path = "/api/v1/x?labelSelector=a%20in%20%28b%2C%20c%29%2Cd%21%3D%C3%BC&fieldManager=convoke";
  const auto response = transport->send(request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body, "ok");
  ASSERT_THAT(server->requests(), SizeIs(1));
  const auto sent = server->requests()[0];
  EXPECT_THAT(sent, StartsWith("POST /clusters/a" + request.path + " HTTP/1.1\r\n"));
  EXPECT_THAT(sent, HasSubstr("\r\nAuthorization:Bearer secret\r\n"));
  EXPECT_THAT(sent, HasSubstr("\r\nUser-Agent:convoke-test/1\r\n"));
  EXPECT_THAT(sent, HasSubstr("\r\nAccept:application/json\r\n"));
  EXPECT_THAT(sent, HasSubstr("\r\nContent-Type:application/json\r\n"));
  EXPECT_EQ(sent.substr(sent.find("\r\n\r\n") + 4), request.body);
}

TEST_F(CpprestTransport, AnIpv6HostHasItsBracketsInTheHostHeader) {
  serve(
      [](RawServer::Connection& connection) {
        connection.read_request();
        connection.write(http_answer("200 OK", "ok"));
      },
      true);
  if (transport == nullptr) return;
  const auto response = transport->send({"GET", "/x"});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_THAT(server->requests()[0], HasSubstr("\r\nHost:" + server->url().substr(7) + "\r\n"));
}

}  // namespace
}  // namespace convoke::kube
