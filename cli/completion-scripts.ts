// What shells source to complete our command lines. All that they do is ask `faultline complete` for candidates, one a
// line with its description behind a tab; ":files" as the only line stands for paths.

export const shells = ['bash', 'zsh', 'fish'] as const

export type Shell = (typeof shells)[number]

/** The line that says "paths". No candidate begins with a colon. */
export const FILES = ':files'

/** How each is set up, for help. */
export const setUp: Readonly<Record<Shell, string>> = {
  bash: 'source <(faultline completion bash)',
  zsh: 'source <(faultline completion zsh)',
  fish: 'faultline completion fish | source',
}

// bash breaks words at "=" and ":" and puts an offer in place of what is behind the last break; hence COMP_LINE, and the
// part before that taken off again.
const bash = `# Completion of faultline for bash. In ~/.bashrc: ${setUp.bash}
_faultline() {
  local IFS=$' \\t\\n' words current offers before
  read -ra words <<< "\${COMP_LINE:0:COMP_POINT}"
  [[ \${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=('')
  current=\${words[\${#words[@]} - 1]}
  IFS=$'\\n'
  offers=($(faultline complete -- "\${words[@]:1}" 2>/dev/null | cut -f 1))
  if [[ \${offers[0]} == '${FILES}' ]]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
    return
  fi
  before=\${current%"\${current##*[=:]}"}
  COMPREPLY=("\${offers[@]#"$before"}")
}
complete -F _faultline faultline`

const zsh = `#compdef faultline
# Completion of faultline for zsh. In ~/.zshrc, behind compinit: ${setUp.zsh}
_faultline() {
  local line about
  local -a offers
  for line in "\${(@f)$(faultline complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ $line == '${FILES}' ]] && { _files; return }
    [[ $line == *$'\\t'* ]] && about=":\${line#*$'\\t'}" || about=
    [[ -n $line ]] && offers+=("\${\${line%%$'\\t'*}//:/\\\\:}$about")
  done
  _describe faultline offers
}
compdef _faultline faultline`

const fish = `# Completion of faultline for fish. In ~/.config/fish/config.fish: ${setUp.fish}
function __faultline_offers
  set -l words (commandline -opc)
  set -l offers (faultline complete -- $words[2..] (commandline -ct) 2>/dev/null)
  if test "$offers" = '${FILES}'
    __fish_complete_path (commandline -ct)
  else if test (count $offers) -gt 0
    printf '%s\\n' $offers
  end
end
complete -c faultline -f -a '(__faultline_offers)'`

export const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish }
