// A ConfigMap as a note with one text: the typed object of the reflector's tests.
#pragma once

#include <stdexcept>
#include <string>

#include "controller/kube/object.h"

namespace convoke::runtime {

inline const kube::ResourceType kConfigMap{"", "v1", "configmaps", "ConfigMap", true};

struct Note {
  kube::ObjectMeta meta;
  std::string text;

  // Throws for the text "unreadable" and where there is none.
  static Note from_json(const Json& object) {
    Note note{kube::meta_from_json(object), object.at("data").at("text")};
    if (note.text == "unreadable") {
      throw std::runtime_error("this note cannot be read");
    }
    return note;
  }
};

inline Json note_json(const std::string& name, const std::string& text) {
  return {{"metadata", {{"namespace", "default"}, {"name", name}, {"labels", {{"text", text}}}}},
          {"data", {{"text", text}}}};
}

}  // namespace convoke::runtime
