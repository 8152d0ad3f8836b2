// A request that the test holds back, to let other things happen in between. Thread-safe.
#pragma once

namespace convoke::fakes {

enum class HoldPoint { BeforeCarryingOut, BeforeAnswering };

class Hold {
 public:
  virtual ~Hold() = default;
  // True once a request has been caught.
  virtual bool reached() const = 0;
  virtual void release() = 0;
};

}  // namespace convoke::fakes
