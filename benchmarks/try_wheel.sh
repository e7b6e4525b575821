#!/usr/bin/env bash
# The wheel of dist/ in an empty environment, in a network of its own in which there is nothing, not even loopback: it makes a
# phantom exam, assesses it with the model in the box and explains it. Then once more under strace, which counts what was tried.
set -euo pipefail
cd "$(dirname "$0")/.."
wheel=$(ls dist/*.whl)
place=build/try
rm -rf "$place"
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check --constraint requirements.lock "$wheel"
echo "installed: $(du -sh "$place/venv" | cut -f1) with $("$place/venv/bin/pip" list --format=freeze | wc -l) packages; the wheel: $(du -h "$wheel" | cut -f1)"
cd "$place"
densight=venv/bin/densight
unshare --map-root-user --net "$densight" phantom -n 1 --seed 1 -o exams --quiet
unshare --map-root-user --net "$densight" explain exams -o run
if command -v strace >/dev/null; then
  strace -f -qq -e trace=connect,bind,sendto -o calls.txt "$densight" assess exams -o run_2 --quiet
  echo "calls that reach for a network: $(grep -c 'AF_INET' calls.txt || true)"
fi
