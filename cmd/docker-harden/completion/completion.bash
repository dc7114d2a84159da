# bash completion for docker-harden.
# Load it now:      source <(docker-harden completion bash)
# Load it always:   docker-harden completion bash > /etc/bash_completion.d/docker-harden
# "docker harden" is completed by docker's own completion.

_docker_harden() {
    COMPREPLY=()
    # bash splits words at ":" and "="; put together again what has no space between.
    local line=$COMP_LINE word i
    local -a words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((${#words[@]} == 0)) || [[ $line == [[:space:]]* ]]; then
            words+=("$word")
        else
            words[${#words[@]}-1]+=$word
        fi
        line=${line#"${line%%[![:space:]]*}"}
        line=${line#"$word"}
    done
    local current=${words[${#words[@]}-1]}

    local out
    out=$("${words[0]}" __complete "${words[@]:1}" 2>/dev/null) || return 0
    local directive=${out##*:}
    out=${out%:*}
    [[ $directive =~ ^[0-9]+$ ]] || return 0
    ((directive & 1)) && return 0

    # bash replaces only what follows the last ":" or "=".
    local head=""
    if [[ $current == *[:=]* && $COMP_WORDBREAKS == *[:=]* ]]; then
        head=${current%"${current##*[:=]}"}
    fi
    local name rest
    while IFS=$'\t' read -r name rest; do
        [[ -n $name ]] && COMPREPLY+=("${name#"$head"}")
    done <<<"$out"
    if ((directive & 2)); then
        compopt -o nospace 2>/dev/null
    fi
    if ((${#COMPREPLY[@]} == 0 && !(directive & 4))); then
        compopt -o filenames 2>/dev/null
        while IFS= read -r name; do
            COMPREPLY+=("$name")
        done < <(compgen -f -- "${current#"$head"}")
    fi
    return 0
}

complete -F _docker_harden docker-harden
