# Sourced by the scripts: finds Python, makes .venv if there is none, installs gennas with pinned versions.
# Usage: prepare_environment EXTRAS   (EXTRAS is "" or such as "dev")

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "gennas needs Python 3.11 or newer; none was found (set PYTHON to one)." >&2
    return 1
}

prepare_environment() {
    local extras="$1" python target wanted
    if [ ! -x .venv/bin/python ]; then
        python="$(find_python)"
        echo "» making .venv with $("$python" --version)"
        "$python" -m venv .venv
    fi
    target="."
    [ -z "$extras" ] || target=".[$extras]"
    # The stamp says for which files and extras the environment was installed: running again costs nothing.
    wanted="$(cat pyproject.toml constraints.txt | cksum) $extras"
    if [ "$(cat .venv/.gennas-stamp 2>/dev/null)" = "$wanted" ]; then
        echo "» .venv is up to date"
        return
    fi
    echo "» installing gennas${extras:+ with extras: $extras} (the first time downloads several GB and takes minutes)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable "$target" --constraint constraints.txt
    echo "$wanted" >.venv/.gennas-stamp
}
