#include "controller/kube/stream_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace convoke::kube {
namespace {

using StreamBufferBase = concurrency::streams::details::streambuf_state_manager<std::uint8_t>;

// Every operation that neither direction uses, answered as "not possible".
class OneWayBuffer : public StreamBufferBase {
 public:
  using StreamBufferBase::StreamBufferBase;

  bool can_seek() const override { return false; }
  bool has_size() const override { return false; }
  std::size_t buffer_size(std::ios_base::openmode /*mode*/) const override { return 0; }
  void set_buffer_size(std::size_t /*size*/, std::ios_base::openmode /*mode*/) override {}
  std::size_t in_avail() const override { return 0; }
  pos_type getpos(std::ios_base::openmode /*mode*/) const override { return no_position(); }
  pos_type seekpos(pos_type /*position*/, std::ios_base::openmode /*mode*/) override { return no_position(); }
  pos_type seekoff(off_type /*offset*/, std::ios_base::seekdir /*way*/,
                   std::ios_base::openmode /*mode*/) override {
    return no_position();
  }
  bool acquire(std::uint8_t*& bytes, std::size_t& count) override {
    bytes = nullptr;
    count = 0;
    return false;
  }
  void release(std::uint8_t* /*bytes*/, std::size_t /*count*/) override {}

 protected:
  pplx::task<int_type> _putc(std::uint8_t /*byte*/) override { return end_of_file(); }
  pplx::task<std::size_t> _putn(const std::uint8_t* /*bytes*/, std::size_t /*count*/) override {
    return pplx::task_from_result<std::size_t>(0);
  }
  pplx::task<int_type> _bumpc() override { return end_of_file(); }
  int_type _sbumpc() override { return traits::eof(); }
  pplx::task<int_type> _getc() override { return end_of_file(); }
  int_type _sgetc() override { return traits::eof(); }
  pplx::task<int_type> _nextc() override { return end_of_file(); }
  pplx::task<int_type> _ungetc() override { return end_of_file(); }
  pplx::task<std::size_t> _getn(std::uint8_t* bytes, std::size_t count) override {
    return pplx::task_from_result(_scopy(bytes, count));
  }
  std::size_t _scopy(std::uint8_t* /*bytes*/, std::size_t /*count*/) override { return 0; }
  pplx::task<bool> _sync() override { return pplx::task_from_result(true); }
  std::uint8_t* _alloc(std::size_t /*count*/) override { return nullptr; }
  void _commit(std::size_t /*count*/) override {}

 private:
  static pos_type no_position() { return static_cast<pos_type>(traits::eof()); }
  static pplx::task<int_type> end_of_file() { return pplx::task_from_result<int_type>(traits::eof()); }
};

class ResponseBuffer final : public OneWayBuffer {
 public:
  explicit ResponseBuffer(std::shared_ptr<ByteSink> sink)
      : OneWayBuffer(std::ios_base::out), sink_(std::move(sink)) {}

 protected:
  pplx::task<std::size_t> _putn(const std::uint8_t* bytes, std::size_t count) override {
    return sink_->put(bytes, count);
  }

 private:
  std::shared_ptr<ByteSink> sink_;
};

class RequestBuffer final : public OneWayBuffer {
 public:
  explicit RequestBuffer(std::string body) : OneWayBuffer(std::ios_base::in), body_(std::move(body)) {}

 protected:
  std::size_t _scopy(std::uint8_t* bytes, std::size_t count) override {
    const auto copied = std::min(count, body_.size() - position_);
    std::memcpy(bytes, body_.data() + position_, copied);
    position_ += copied;
    return copied;
  }

 private:
  const std::string body_;
  std::size_t position_ = 0;
};

concurrency::streams::streambuf<std::uint8_t> as_streambuf(std::shared_ptr<StreamBufferBase> buffer) {
  return {std::static_pointer_cast<concurrency::streams::details::basic_streambuf<std::uint8_t>>(
      std::move(buffer))};
}

}  // namespace

concurrency::streams::ostream make_response_stream(std::shared_ptr<ByteSink> sink) {
  return as_streambuf(std::make_shared<ResponseBuffer>(std::move(sink))).create_ostream();
}

concurrency::streams::istream make_request_stream(std::string body) {
  return as_streambuf(std::make_shared<RequestBuffer>(std::move(body))).create_istream();
}

}  // namespace convoke::kube
