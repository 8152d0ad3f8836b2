# Writes a C++ file with the texts of some files: cmake -DOUTPUT=file.cpp -DHEADER=include -DFUNCTION=ns::name -DFILES=a;b -P
# FUNCTION is declared in HEADER as returning const std::vector<std::string>&.
set(text "#include \"${HEADER}\"\n\nconst std::vector<std::string>& ${FUNCTION}() {\n  static const std::vector<std::string> kTexts = {\n")
foreach(file IN LISTS FILES)
  file(READ ${file} content)
  # Compilers need not take literals above 64 KiB.
  string(LENGTH "${content}" length)
  string(APPEND text "std::string()")
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${content}" ${at} 16000 part)
    string(APPEND text " + R\"~~~(${part})~~~\"\n")
    math(EXPR at "${at} + 16000")
  endwhile()
  string(APPEND text ",\n")
endforeach()
string(APPEND text "  };\n  return kTexts;\n}\n")
file(WRITE ${OUTPUT} "${text}")
