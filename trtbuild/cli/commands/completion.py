"""``trtbuild completion``: a shell's completion script, generated from the verbs' own declarations."""

from __future__ import annotations

import argparse

from trtbuild import config
from trtbuild.cli import words
from trtbuild.config import named

GROUP = "share"
HELP = "print a completion script for bash, zsh or fish: verbs, options, groups, models and versions"
EXAMPLES = """\
  source <(trtbuild completion bash)            # in ~/.bashrc
  trtbuild completion zsh > ~/.zfunc/_trtbuild
  trtbuild completion fish > ~/.config/fish/completions/trtbuild.fish
"""
SHELLS = ("bash", "zsh", "fish")
WORDS = "words"  # what the scripts call: it prints the candidates for one word, one per line
# A build needs no verb, so config words are offered beside the verbs.  bash splits words at '=' and expects only the
# part after it; its COMP_LINE has the whole word.
_PREAMBLE = {
    "bash": """\
_trtbuild_words() {
  local line="${COMP_LINE:0:COMP_POINT}" candidate
  local word="${line##* }" base=""
  [[ "$COMP_WORDBREAKS" == *=* && "$word" == *=* ]] && base="${word%"${word##*=}"}"
  while IFS= read -r candidate; do printf '%s\\n' "${candidate#"$base"}"; done < \\
    <(trtbuild completion words -- "$word" 2>/dev/null)
  compopt -o nospace 2>/dev/null
}
""",
    "zsh": """\
_trtbuild_words() {
  local -a found
  found=(${(f)"$(trtbuild completion words -- "$PREFIX" 2>/dev/null)"})
  compadd -S '' -- $found
}
functions[_trtbuild_verbs]=$functions[_shtab_trtbuild_commands]
_shtab_trtbuild_commands() { _trtbuild_verbs; _trtbuild_words }
""",
    "fish": """\
function _trtbuild_words
  trtbuild completion words -- (commandline -ct) 2>/dev/null
end
""",
}
_LAST = {
    "bash": "_shtab_trtbuild_pos_0_COMPGEN=_trtbuild_words",
    "fish": "complete -c trtbuild -n '_shtab_trtbuild_using' -ka '(_trtbuild_words)'",
}
_COMPLETERS = {"bash": "_trtbuild_words", "zsh": "_trtbuild_words", "fish": "(_trtbuild_words)"}


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", type=words.OneOf(SHELLS, (WORDS,)), metavar="|".join(SHELLS), help="the shell")
    parser.add_argument("word", nargs="?", default="", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    if args.shell == WORDS:
        print("".join(f"{word}\n" for word in candidates(args.word)), end="")
    else:
        print(script(args.shell), end="")
    return 0


def script(shell: str) -> str:
    import shtab

    text = shtab.complete(_every_verb(), shell, preamble=_PREAMBLE)  # type: ignore[arg-type]  # by shell
    return f"{text}\n{_LAST.get(shell, '')}\n"


def _every_verb() -> argparse.ArgumentParser:
    """One parser for all verbs, with a build's words beside them, since a build needs no verb."""
    top = words.Parser()
    verbs = top.add_subparsers(dest="verb", parser_class=argparse.ArgumentParser)
    for verb in words.verbs():
        declared = words.command(verb)
        declared.options(verbs.add_parser(verb, help=declared.HELP, description=declared.HELP))
    words.command(words.BUILD).options(top)
    for parser in (top, *verbs.choices.values()):
        for action in parser._actions:
            if action.dest == "words":
                action.complete = _COMPLETERS  # type: ignore[attr-defined]  # shtab's own attribute
            elif isinstance(action.type, words.OneOf) and action.option_strings:
                action.choices = action.type.valid
    return top


def candidates(word: str) -> list[str]:
    """Before ``=``: the groups that begin so.  After it: the group's options, also as the next item of a list."""
    group, equals, value = word.partition("=")
    if not equals:
        return [f"{name}=" for name in config.GROUPS if name.startswith(group)]
    root = named.root_here()
    chosen, comma, last = value.rpartition(",")
    names = config.options(root, group) if group in config.GROUPS else []
    return [
        f"{group}={chosen}{comma}{name}" for name in names if name.startswith(last) and name not in chosen.split(",")
    ]
