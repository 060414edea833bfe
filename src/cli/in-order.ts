/** Where one of several texts that come at once is written. */
export type Writer = { readonly write: (piece: string) => void; readonly end: () => void };

/** Writers of so many texts: the first that has not ended goes straight out, those behind it are kept until their turn. */
export function inOrder(count: number, out: (piece: string) => void): readonly Writer[] {
  const kept = Array.from({ length: count }, (): string[] => []);
  const ended = new Set<number>();
  let turn = 0;
  const flush = (): void => kept[turn]?.splice(0).forEach(out);
  return kept.map((own, i) => ({
    write: (piece) => (i === turn ? out(piece) : void own.push(piece)),
    end: () => {
      ended.add(i);
      for (; ended.has(turn); flush()) turn++;
    },
  }));
}
