import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { topAttributes, treeAttributes } from '../../../domain/merge-queue/attributes.js';
import { formatCommit, normaliseMessage, ourIdent, parseCommit } from '../../../domain/merge-queue/commit.js';
import {
  entryId,
  hasOurTrailer,
  mergeMessage,
  planId,
  planTimestamp,
  provenLanding,
  readTrailers,
  withTrailers,
  type PlanInputs,
} from '../../../domain/merge-queue/plan.js';
import { linkFault, pathFault } from '../../../domain/merge-queue/tree-rules.js';
import type { EntryIdentity } from '../../../domain/merge-queue/types.js';

const oid = fc.stringMatching(/^[0-9a-f]{40}$/);
const message = fc.string({ unit: 'grapheme', maxLength: 200 }).map((s) => normaliseMessage(s.replaceAll('\0', '')));
const lines = fc.array(fc.constantFrom('Fix it', 'Co-authored-by: A <a@b.c>', '', 'key: value', ' x', 'Refs: 1'), {
  maxLength: 8,
});
const anyMessage = fc.oneof(
  message,
  lines.map((l) => normaliseMessage(l.join('\n'))),
);
const identity = fc
  .record({ head: oid, generation: fc.nat(999), try: fc.nat(999), item: fc.nat(9999) })
  .map(({ item, ...rest }): EntryIdentity => {
    const e = { repo: 'web', base: 'main', task: `web/ET-${item}`, ...rest };
    return { ...e, workItem: `ET-${item}`, entry: entryId(e) };
  });
const inputs = fc.record(
  {
    ...{ entry: identity, baseOid: oid, message: anyMessage, timestamp: fc.nat(4_000_000_000) },
    strategy: fc.constantFrom('merge' as const, 'rebase-ff' as const, 'squash' as const),
    attributes: fc.option(oid),
    stackBase: oid,
  },
  { requiredKeys: ['entry', 'baseOid', 'message', 'timestamp', 'strategy', 'attributes'] },
);

function commitOf(p: PlanInputs & { entry: EntryIdentity }): ReturnType<typeof parseCommit> {
  return {
    ...{ tree: 'f'.repeat(40), author: ourIdent(1), committer: ourIdent(p.timestamp), encoding: null },
    parents: p.strategy === 'merge' ? [p.baseOid, p.entry.head] : [p.baseOid],
    message: withTrailers(p.message, { ...p, plan: planId(p) }),
  };
}

describe('a plan', () => {
  it('has an id that every input changes', () => {
    fc.assert(
      fc.property(inputs, inputs, (a, b) => {
        const same = (['strategy', 'baseOid', 'message', 'attributes', 'timestamp', 'stackBase'] as const).every(
          (k) => a[k] === b[k],
        );
        const sameEntry = a.entry.entry === b.entry.entry && a.entry.head === b.entry.head;
        expect(planId(a) === planId(b)).toBe(same && sameEntry);
        expect(planId({ ...a, timestamp: a.timestamp + 1 })).not.toBe(planId(a));
        expect(planId({ ...a, message: `${a.message}.` })).not.toBe(planId(a));
      }),
    );
  });

  it('is proven by its commit after a round trip, and by no commit that was changed', () => {
    fc.assert(
      fc.property(inputs, (p) => {
        const commit = parseCommit(formatCommit(commitOf(p)));
        const facts = provenLanding(commit, 'web', 'main', p.attributes);
        expect(facts).toMatchObject({ entry: p.entry.entry, task: p.entry.task, generation: p.entry.generation });
        expect(facts?.message).toBe(normaliseMessage(p.message));
        expect(provenLanding(commit, 'api', 'main', p.attributes)).toBeNull();
        expect(
          provenLanding({ ...commit, committer: `Agent <a@b> ${p.timestamp} +0000` }, 'web', 'main', p.attributes),
        ).toBeNull();
        expect(
          provenLanding({ ...commit, committer: ourIdent(p.timestamp + 1) }, 'web', 'main', p.attributes),
        ).toBeNull();
        expect(provenLanding({ ...commit, message: `x${commit.message}` }, 'web', 'main', p.attributes)).toBeNull();
        expect(
          provenLanding({ ...commit, message: `${commit.message}\nx: y` }, 'web', 'main', p.attributes),
        ).toBeNull();
        const stolen = commit.message.replace(/^(Signalbox-Task: ).*$/m, '$1web/ET-99999');
        expect(provenLanding({ ...commit, message: stolen }, 'web', 'main', p.attributes)).toBeNull();
      }),
    );
  });

  it('sees every message that git could read a trailer of ours from', () => {
    fc.assert(
      fc.property(anyMessage, inputs, (text, p) => {
        expect(hasOurTrailer(withTrailers(text, { ...p, plan: planId(p) }))).toBe(true);
      }),
    );
    expect(['a\n\nSIGNALBOX-task: x', 'a\n\n signalbox-x :y', 'Signalbox-Entry:'].every(hasOurTrailer)).toBe(true);
    expect(['Signalbox is nice', 'use signalbox-cli', 'a\n\nRefs: Signalbox-Entry'].some(hasOurTrailer)).toBe(false);
    expect(readTrailers('Signalbox-Task: x')).toBeNull();
  });

  it('takes the later of the request and base as its time', () => {
    expect(planTimestamp('2026-01-01T00:00:00Z', 'A <a> 1 +0000')).toBe(1767225600);
    expect(planTimestamp('2026-01-01T00:00:00Z', 'A <a> 1867225600 +0100')).toBe(1867225600);
    expect(mergeMessage('web/ET-1', 'A\nSignalbox-Entry: x\u2028y')).toBe('Merge web/ET-1: A Signalbox-Entry: x y');
    expect(mergeMessage('web/ET-1', ' \n ')).toBe('Merge web/ET-1');
  });
});

describe('merge attributes', () => {
  it('of earlier versions keep built-in drivers at the top only', () => {
    const text =
      '# c\n*.log merge=union text\n[attr]m merge=union\n*.bin binary\n*.x merge=evil filter=y\n"a b" -merge\n*.c diff=c\n';
    expect(topAttributes(text)).toBe('*.log merge=union\n*.bin binary\n"a b" -merge\n');
    expect(topAttributes('*.x merge=evil\n')).toBeNull();
  });

  it.each<[string, Record<string, string>, string | null]>([
    ['nothing that steers a merge', { '': '* text eol=lf\n[attr]m merge=union\n', d: '*.c diff\n' }, null],
    ['any depth', { d: '*.log merge=union text\n' }, 'd/**/*.log merge=union\n'],
    ['a place', { d: '/a -merge\nx/*.b binary\n' }, 'd/a -merge\nd/x/*.b binary\n'],
    ['the order', { 'b/c': 'x !merge', b: 'x merge', '': 'x -merge' }, 'x -merge\nb/**/x merge\nb/c/**/x !merge\n'],
    ['directories that look like patterns', { 'a*[b]?\\': 'x -merge' }, 'a\\*\\[b]\\?\\\\/**/x -merge\n'],
    ['names that begin a line', { '!a': 'x -merge', '#b': 'x -merge' }, '\\!a/**/x -merge\n"#b/**/x" -merge\n'],
    ['quoted patterns', { 'd e': '"a\\tb\\"\\303\\244" -merge' }, '"d e/**/a\\011b\\"\xc3\xa4" -merge\n'],
    ['a quote that does not end', { d: '"a -merge' }, 'd/**/"a -merge\n'],
    [
      'macros at the top',
      { '': '[attr]g -merge -diff\n*.g g diff\n', d: '*.x -g' },
      '[attr]g -merge\n*.g g\nd/**/*.x -g\n',
    ],
    ['macros of macros', { '': '[attr]b a\n[attr]a -merge\nx b' }, '[attr]b a\n[attr]a -merge\nx b\n'],
    [
      'a macro of git that is defined anew',
      { '': '\xef\xbb\xbf[attr]binary -diff\nx binary' },
      '[attr]binary\nx binary\n',
    ],
    ['no macros below', { d: '[attr]g -merge\n*.g g\n' }, null],
    ['programs as text', { '': '* merge=union\n*.x merge=evil' }, '* merge=union\n*.x merge=text\n'],
    ['no directories, no `!`, no bad names', { d: 'x/ -merge\n!y -merge\nz -merge a:b\n' }, null],
    ['patterns in brackets, blanks, comments', { '': '\t[ab].x  -merge \r\n # c -merge\n' }, '[ab].x -merge\n'],
    ['bytes that are blanks elsewhere', { d: '\xc3\xa0\xc2\x85 -merge' }, 'd/**/\xc3\xa0\xc2\x85 -merge\n'],
  ])('of a tree: %s', (_, files, text) => {
    expect(treeAttributes(Object.entries(files).map(([dir, lines]) => ({ dir, text: lines })))).toBe(text);
  });
});

describe('what a tree may hold', () => {
  it.each([
    '.git',
    'a/.GIT/x',
    '.git.',
    '.git ',
    'git~1/x',
    'GIT~2',
    '.g\u200cit/config',
    '.git::$INDEX_ALLOCATION',
    'a\nb',
    'a//b',
    '../x',
    'x'.repeat(256),
    `${'a/'.repeat(1100)}b`,
    'a\uFFFD',
  ])('refuses the path %j', (path) => expect(pathFault(path)).not.toBeNull());
  it.each(['.gitignore', '.gitattributes', 'a/.github/x', 'src/git', 'émile/ü.txt', 'a b'])(
    'takes the path %j',
    (path) => expect(pathFault(path)).toBeNull(),
  );
  it('lets no link leave the tree', () => {
    const name = fc.constantFrom('..', '.', 'a', 'b', '');
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 8 }), fc.nat(4), (parts, depth) => {
        const path = `${'d/'.repeat(depth)}link`;
        if (linkFault(path, parts.join('/')) !== null) return;
        let level = depth;
        for (const part of parts) {
          if (part === '..') level -= 1;
          else if (part !== '.' && part !== '') level += 1;
          expect(level).toBeGreaterThanOrEqual(0);
        }
      }),
    );
    expect(linkFault('a/b', '../c')).toBeNull();
    expect(linkFault('b', '../c')).not.toBeNull();
    expect(linkFault('b', '.git/config')).not.toBeNull();
  });
});
