#!/bin/sh
# zig as the C compiler for macOS, called the way the libraries of C code call one.
for word; do
  shift
  case $word in --target=* | -arch | arm64 | -mmacosx-version-min=*) ;; *) set -- "$@" "$word" ;; esac
done
exec zig cc -target aarch64-macos "$@"
