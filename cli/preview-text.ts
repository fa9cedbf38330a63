import { fields, plain, short } from './output.js';

export type PreviewAnswer =
  | { available: false; reason: string }
  | {
      available: true;
      base: string;
      head: string;
      kind: string;
      paths: string[];
      hunks: string;
      strategy: string;
      tree: string | null;
    };

const WORDS: Record<string, string> = {
  clean: 'merges; the checks have their say after that',
  conflict: 'does not merge',
  contained: 'base has this work already',
};

export function previewText(preview: PreviewAnswer): string {
  if (!preview.available) return plain(`cannot be told: ${preview.reason}`);
  const { base, head, kind, paths, hunks, strategy, tree } = preview;
  const facts = fields([
    ['now', WORDS[kind] ?? kind],
    ['strategy', strategy],
    ['base', short(base)],
    ['head', short(head)],
    ['tree', tree === null ? null : short(tree)],
    ['conflicts', paths.join('\n')],
  ]);
  return hunks === '' ? facts : `${facts}\n\n${plain(hunks)}`;
}
