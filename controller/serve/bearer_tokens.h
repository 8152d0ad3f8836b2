// Who may bring something: the tokens in a file, one a line. Several are there while one is exchanged.
//
// The file is read again when it has changed, within seconds. One that cannot be read, or is empty, lets
// nobody in.
//
// Thread safety: all methods from every thread. Errors: Invalid from load(), naming the file.
#pragma once

#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"
#include "controller/base/result.h"

namespace convoke::serve {

class BearerTokens {
 public:
  BearerTokens(Clock& clock, std::string file);

  // Whether the file holds a token, so that a mistake is told at the start.
  Status load();
  // `authorization` is the value of that header: "Bearer <token>". How long this takes does not depend on how
  // much of a token is right.
  bool accept(const std::string& authorization);

 private:
  Result<std::vector<std::string>> read() const;

  Clock& clock_;
  const std::string file_;
  Mutex mutex_;
  std::vector<std::string> hashes_ GUARDED_BY(mutex_);  // of all tokens: of equal length
  MonotonicTime next_look_ GUARDED_BY(mutex_);
};

}  // namespace convoke::serve
