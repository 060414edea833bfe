/** `moec completion SHELL`: a completion script, generated from the table of commands. */
import { commonOptions, type AnyOption, type CommandSpec } from "../command.ts";

type Shell = "bash" | "zsh" | "fish";
type Flag = { readonly names: readonly string[]; readonly help: string; readonly choices: readonly string[] };
type Known = {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  /** What the first argument may be, where that is a closed list. */
  readonly words: readonly string[];
};

const flagOf = (option: AnyOption): Flag => ({
  names: option.flags.match(/(?<![\w-])--?[a-z][\w-]*/gi) ?? [],
  help: option.help,
  choices: option.choices ?? [],
});
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function bash(known: readonly Known[]): string {
  const cases = known.map((it) => {
    const words = [...it.flags.flatMap((flag) => flag.names), ...it.words].join(" ");
    return `    ${it.name}) words="${words}" ;;`;
  });
  const values = known.flatMap((it) =>
    it.flags
      .filter((flag) => flag.choices.length > 0)
      .map((flag) => {
        const patterns = flag.names.map((name) => `${it.name}:${name}`).join("|");
        return `    ${patterns}) words="${flag.choices.join(" ")}" ;;`;
      }),
  );
  return `_moec() {
  local words="" current="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${known.map((it) => it.name).join(" ")} --help --version" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  case "\${COMP_WORDS[1]}:\${COMP_WORDS[COMP_CWORD - 1]}" in
${[...values, "    *) ;;"].join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -o bashdefault -F _moec moec
`;
}

function zsh(known: readonly Known[]): string {
  const escaped = (text: string): string => text.replace(/[[\]:\\]/g, (it) => `\\${it}`);
  const cases = known.map((it) => {
    const flags = it.flags.flatMap((flag) =>
      flag.names.map((name) => {
        const value = flag.choices.length > 0 ? `:value:(${flag.choices.join(" ")})` : "";
        return quoted(`${name}[${escaped(flag.help)}]${value}`);
      }),
    );
    const rest = it.words.length > 0 ? `*:word:(${it.words.join(" ")})` : "*:file:_files";
    return `    ${it.name}) _arguments ${[...flags, quoted(rest)].join(" ")} ;;`;
  });
  return `#compdef moec
_moec() {
  if (( CURRENT == 2 )); then
    local -a names=(${known.map((it) => quoted(`${it.name}:${escaped(it.summary)}`)).join(" ")})
    _describe command names
    return
  fi
  local name="$words[2]"
  shift words; (( CURRENT-- ))
  case "$name" in
${cases.join("\n")}
  esac
}
compdef _moec moec
`;
}

function fish(known: readonly Known[]): string {
  const lines = known.flatMap((it) => {
    const here = `complete -c moec -n ${quoted(`__fish_seen_subcommand_from ${it.name}`)}`;
    return [
      `complete -c moec -n __fish_use_subcommand -a ${it.name} -d ${quoted(it.summary)}`,
      ...it.flags.map((flag) => {
        const names = flag.names.map((name) =>
          name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
        );
        const value = flag.choices.length > 0 ? ` -x -a ${quoted(flag.choices.join(" "))}` : "";
        return `${here} ${names.join(" ")} -d ${quoted(flag.help)}${value}`;
      }),
      ...(it.words.length > 0 ? [`${here} -a ${quoted(it.words.join(" "))}`] : []),
    ];
  });
  return `${lines.join("\n")}\n`;
}

const shells: { readonly [S in Shell]: (known: readonly Known[]) => string } = { bash, zsh, fish };
const shellNames = Object.keys(shells);

export const completion: CommandSpec<Record<never, never>> = {
  name: "completion",
  summary: "print a completion script for a shell",
  args: [["<shell>", "the shell to complete in", shellNames]],
  options: {},
  examples: [
    "moec completion bash > ~/.local/share/bash-completion/completions/moec",
    "moec completion fish | source",
  ],
  run: async ([shell], _options, cx) => {
    const known = await Promise.all(
      cx.commands.map(async (entry): Promise<Known> => {
        const spec = await entry.load();
        return {
          name: entry.name,
          summary: entry.summary,
          flags: [...spec.options, ...commonOptions].map(flagOf),
          words: [...(spec.args[0]?.[2] ?? [])],
        };
      }),
    );
    const script = (shell === "zsh" || shell === "fish" ? shells[shell] : shells.bash)(known);
    cx.stdout.write(cx.json ? `${JSON.stringify({ shell, script })}\n` : script);
    return 0;
  },
};
