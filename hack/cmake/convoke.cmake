# Rules that every target shares: warnings, sanitizers, and the two ways to declare a part of the house.

add_library(convoke_build_rules INTERFACE)
target_include_directories(convoke_build_rules INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(convoke_build_rules INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wconversion -Wno-sign-conversion -Werror
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Wreserved-identifier>
  # g++ 12 takes the alternatives of a std::variant that are not there for uninitialized memory.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  # To g++, a source that is included is a header, where a type should not have members of anonymous ones.
  $<$<AND:$<BOOL:${CONVOKE_UNITY}>,$<CXX_COMPILER_ID:GNU>>:-Wno-subobject-linkage>)
target_compile_definitions(convoke_build_rules INTERFACE CONVOKE_VERSION="${CONVOKE_VERSION}")
if(CONVOKE_SANITIZE)
  target_compile_options(convoke_build_rules INTERFACE
    -fsanitize=${CONVOKE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(convoke_build_rules INTERFACE -fsanitize=${CONVOKE_SANITIZE})
endif()

# Hardening: what an attacker gains from a mistake in memory shall be an ended process. tests/integration/test_hardening.py
# looks for it in the programs. Sanitizer builds check more than this does, and not all of it goes with them.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
target_link_options(convoke_build_rules INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
if(NOT CONVOKE_SANITIZE AND NOT CONVOKE_FUZZ)
  target_compile_options(convoke_build_rules INTERFACE
    -fstack-protector-strong $<$<CXX_COMPILER_ID:GNU>:-fstack-clash-protection> -fcf-protection)
  target_compile_definitions(convoke_build_rules INTERFACE _GLIBCXX_ASSERTIONS
    $<$<CONFIG:RelWithDebInfo,Release,MinSizeRel>:_FORTIFY_SOURCE=2>)
endif()
if(CONVOKE_FUZZ)
  target_compile_options(convoke_build_rules INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(convoke_build_rules INTERFACE -fsanitize=fuzzer-no-link)
endif()

# convoke_batch(OUT SOURCE...): sources that each include eight of the given ones, for most of the compiler's time goes into
# headers that all of them include. So names in anonymous namespaces are unique in a folder. Like CMake's UNITY_BUILD, but paths
# are relative, so that ccache finds what another checkout has compiled.
function(convoke_batch out)
  if(NOT CONVOKE_UNITY)
    set(${out} ${ARGN} PARENT_SCOPE)
    return()
  endif()
  set(batches "")
  list(LENGTH ARGN count)
  math(EXPR last "${count} - 1")
  foreach(first RANGE 0 ${last} 8)
    list(SUBLIST ARGN ${first} 8 part)
    list(TRANSFORM part REPLACE "^${CMAKE_SOURCE_DIR}/(.*)$" "#include \"\\1\"\n")
    list(JOIN part "" text)
    set(batch ${CMAKE_CURRENT_BINARY_DIR}/unity/${first}.cpp)
    file(CONFIGURE OUTPUT ${batch} CONTENT "${text}" @ONLY)
    list(APPEND batches ${batch})
  endforeach()
  set(${out} ${batches} PARENT_SCOPE)
endfunction()

# convoke_library(NAME USES a b ...): the .cpp files of the current folder as a static library. USES names
# everything that the folder may include; a folder without .cpp files becomes a header-only library.
function(convoke_library name)
  cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(sources)
    convoke_batch(sources ${sources})
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC convoke_build_rules ${ARG_USES})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE convoke_build_rules ${ARG_USES})
  endif()
endfunction()

# convoke_program(NAME USES ...): the .cpp files of the current folder as a program.
function(convoke_program name)
  cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    return()
  endif()
  convoke_batch(sources ${sources})
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE convoke_build_rules ${ARG_USES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# convoke_test(NAME USES ...): the *_test.cpp files of the current folder as one GoogleTest program, each test known
# to ctest by itself (but for sanitizers, see below), under the label LABEL (default: unit).
function(convoke_test name)
  cmake_parse_arguments(ARG "" "LABEL" "USES" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    return()
  endif()
  convoke_batch(sources ${sources})
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE convoke_build_rules ${ARG_USES} GTest::gmock GTest::gtest_main)
  if(CONVOKE_SANITIZE)
    convoke_sharded_test(${name} ${ARG_LABEL})
  else()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 120)
  endif()
endfunction()

# convoke_sharded_test(NAME LABEL): the program's tests in a few processes instead of one for each, since under a sanitizer to
# start costs more than most tests do. A test that was skipped has shown nothing, so it fails; but for the CEL specification's
# cases, which no clone holds.
function(convoke_sharded_test name label)
  set(last_shard 3)
  math(EXPR shards "${last_shard} + 1")
  foreach(shard RANGE ${last_shard})
    add_test(NAME ${name}.${shard} COMMAND ${name})
    set_tests_properties(${name}.${shard} PROPERTIES LABELS ${label} TIMEOUT 600
      ENVIRONMENT "GTEST_TOTAL_SHARDS=${shards};GTEST_SHARD_INDEX=${shard}"
      FAIL_REGULAR_EXPRESSION "\\[  SKIPPED \\] ([^C0-9]|C[^e])")
  endforeach()
endfunction()
