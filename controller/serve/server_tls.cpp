#include "controller/serve/server_tls.h"

#include <fstream>
#include <iterator>
#include <utility>

#include <boost/asio/buffer.hpp>

namespace convoke::serve {

namespace {

namespace asio = boost::asio;

constexpr Duration kLookForFilesEvery = std::chrono::seconds(10);

Result<std::string> read_pem(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (!in || text.empty()) return Error{ErrorCode::Invalid, "cannot read " + path};
  return text;
}

}  // namespace

ServerTls::ServerTls(Clock& clock, TlsFiles files, std::function<void(const Error&)> on_problem)
    : clock_(clock), files_(std::move(files)), on_problem_(std::move(on_problem)) {}

Result<ServerTls::Texts> ServerTls::read() const {
  auto certificate = read_pem(files_.certificate);
  if (!certificate) return certificate.error();
  auto key = read_pem(files_.key);
  if (!key) return key.error();
  return Texts{std::move(*certificate), std::move(*key)};
}

Result<ServerTls::Context> ServerTls::make(const Texts& texts) const {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  boost::system::error_code error;
  context->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                           asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                           asio::ssl::context::no_tlsv1_1,
                       error);
  context->use_certificate_chain(asio::buffer(texts.certificate), error);
  if (error) return Error{ErrorCode::Invalid, files_.certificate + " is no certificate: " + error.message()};
  context->use_private_key(asio::buffer(texts.key), asio::ssl::context::pem, error);
  if (error) {
    return Error{ErrorCode::Invalid,
                 files_.key + " is no private key of " + files_.certificate + ": " + error.message()};
  }
  return context;
}

Status ServerTls::load() {
  auto texts = read();
  if (!texts) return texts.error();
  auto context = make(*texts);
  if (!context) return context.error();
  context_ = std::move(*context);
  texts_ = std::move(*texts);
  next_look_ = clock_.monotonic_now() + kLookForFilesEvery;
  return {};
}

ServerTls::Context ServerTls::current() {
  if (clock_.monotonic_now() < next_look_) return context_;
  next_look_ = clock_.monotonic_now() + kLookForFilesEvery;
  const auto texts = read();
  if (texts && *texts == texts_) {
    problem_.clear();
    return context_;
  }
  const auto made = texts ? make(*texts) : Result<Context>(texts.error());
  if (made) {
    context_ = *made;
    texts_ = *texts;
    problem_.clear();
  } else if (made.error().message != problem_) {
    problem_ = made.error().message;
    if (on_problem_) on_problem_(made.error());
  }
  return context_;
}

}  // namespace convoke::serve
