#!/usr/bin/env bash
# Compiles the module's Kotlin against the stubs beside this file, where warnings are errors, and plays its jitter buffer. Wants a JDK and pip: the compiler
# comes in a Python package (82 MB), into a folder that is removed at the end.
set -euo pipefail
cd "$(dirname "$0")"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip download --quiet --no-deps --dest "$folder" kotlin-jupyter-kernel==0.19.0.944
python3 -m zipfile -e "$folder"/*.whl "$folder"
jars=$folder/run_kotlin_kernel/jars

mkdir "$folder/stubs" "$folder/module"
mapfile -t java < <(find stubs -name '*.java')
mapfile -t kotlin < <(find stubs ../../modules/vivavoce-audio/android Turns.kt -name '*.kt')
javac -d "$folder/stubs" "${java[@]}"
java -cp "$jars/*" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -no-stdlib -no-reflect -Werror \
  -cp "$folder/stubs:$(echo "$jars"/kotlin-stdlib-*.jar)" -d "$folder/module" "${kotlin[@]}"
echo "the Kotlin compiles against the stubs"
java -cp "$folder/module:$(echo "$jars"/kotlin-stdlib-*.jar)" dev.vivavoce.audio.TurnsKt
