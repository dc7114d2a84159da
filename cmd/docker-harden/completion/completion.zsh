#compdef docker-harden
# zsh completion for docker-harden.
# Load it now:      source <(docker-harden completion zsh)
# Load it always:   docker-harden completion zsh > "${fpath[1]}/_docker-harden"

_docker-harden() {
    local out directive line name
    local -a names shown
    out=$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null) || return 1
    directive=${out##*:}
    out=${out%:*}
    [[ $directive == <-> ]] || return 1
    (( directive & 1 )) && return 1

    for line in "${(@f)out}"; do
        [[ -n $line ]] || continue
        name=${line%%$'\t'*}
        names+=("$name")
        if [[ $line == *$'\t'* ]]; then
            shown+=("$name  -- ${line#*$'\t'}")
        else
            shown+=("$name")
        fi
    done
    local -a nospace
    (( directive & 2 )) && nospace=(-S '')
    if (( $#names )); then
        compadd -l -d shown "${nospace[@]}" -a names
        return
    fi
    (( directive & 4 )) && return 1
    _files
}

# As a file in fpath this is the function's body and runs it; sourced, it registers it.
if [[ ${funcstack[1]} == _docker-harden ]]; then
    _docker-harden "$@"
else
    compdef _docker-harden docker-harden
fi
