#!/bin/bash
# packages.sh python|testbed|all: installs what is missing of packages.txt. Needs root or sudo only if something is.
set -euo pipefail
group=${1:-all}
list=$(dirname "$0")/packages.txt

if ! command -v dpkg-query >/dev/null; then
    echo "packages: this is no Debian; needed are: $(grep -v '^#' "$list" | cut -d' ' -f1 | xargs)" >&2
    exit 0
fi

missing=()
while read -r package its_group _; do
    [[ $group == all || $group == "$its_group" ]] || continue
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done < <(grep -v '^#' "$list")

# A Python that is not Debian's own brings its venv along.
if python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | grep -vx -e '' -e python3 -e python3-venv || true)
fi
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $(id -u) != 0 ]]; then as_root=(sudo); fi
echo "packages: installing ${missing[*]} (about 1 min)" >&2
# An installation that was interrupted leaves packages that apt refuses to go on with.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive dpkg --configure -a >/dev/null
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
