# fish completion for docker-harden.
# Load it now:      docker-harden completion fish | source
# Load it always:   docker-harden completion fish > ~/.config/fish/completions/docker-harden.fish

function __docker_harden_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l out ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    or return
    set -l directive (string replace ':' '' -- $out[-1])
    string match -qr '^[0-9]+$' -- $directive
    or return
    test (math "bitand($directive, 1)") -eq 0
    or return
    set -e out[-1]
    if test (count $out) -gt 0
        printf '%s\n' $out
    else if test (math "bitand($directive, 4)") -eq 0
        __fish_complete_path "$current"
    end
end

complete -c docker-harden -f -a '(__docker_harden_complete)'
