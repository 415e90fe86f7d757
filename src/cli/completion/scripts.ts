/**
 * What a shell sources. Each asks this binary (`completion -- WORDS…`) for lines of `VALUE<tab>SUMMARY`, and falls back
 * to file names. The words go over quoted and are never evaluated: pressing Tab must not run a command substitution
 * that is still being typed, least of all as root.
 */
export const scripts = {
  bash: `# bash completion of chime-node; in use now: source <(chime-node completion bash)
_chime_node() {
  mapfile -t COMPREPLY < <(chime-node completion -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1)
}
complete -o default -F _chime_node chime-node
`,
  zsh: `#compdef chime-node
# zsh completion of chime-node; in use now: source <(chime-node completion zsh)
_chime_node() {
  local -a found
  local value summary
  while IFS=$'\\t' read -r value summary; do
    found+=("\${value//:/\\\\:}\${summary:+:}\${summary}")
  done < <(chime-node completion -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then _describe chime-node found; else _files; fi
}
if [[ "\${funcstack[1]}" == _chime_node ]]; then _chime_node "$@"; else compdef _chime_node chime-node; fi
`,
  fish: `# fish completion of chime-node; in use now: chime-node completion fish | source
function __chime_node
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    set -l found (chime-node completion -- $typed[2..-1] "$current" 2>/dev/null)
    if count $found >/dev/null
        printf '%s\\n' $found
    else
        __fish_complete_path "$current"
    end
end
complete -c chime-node -e
complete -c chime-node -f -a '(__chime_node)'
`,
} as const;

export const shells = Object.keys(scripts) as (keyof typeof scripts)[];
