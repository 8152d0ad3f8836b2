// What the fake API server remembers of a write. Plain value.
#pragma once

#include <string>

#include "controller/base/clock.h"

namespace convoke::fakes {

// A POST, PUT, PATCH or DELETE that a client sent.
struct WriteRecord {
  std::string client;
  std::string method;
  std::string path;
  int status = 0;            // what the server answered; 0: the request was dropped
  bool was_answered = true;  // false: the client saw no answer
  MonotonicTime time;
};

}  // namespace convoke::fakes
