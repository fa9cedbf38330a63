import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeClone } from '../../../activities/git/clone.js';
import { importHead } from '../../../activities/git/heads.js';
import type { GitHost } from '../../../activities/git/host.js';
import { createLandings, type Landings } from '../../../activities/git/landing.js';
import { git, makeWorld, type World } from '../../support/git.js';

let world: World;
let host: GitHost;
/** With a gate of its own, which no import looked at before. */
let landings: Landings;
let clone: string;
let base: string;

beforeAll(async () => {
  world = makeWorld();
  base = world.base();
  host = world.host('one');
  landings = createLandings(world.host('two'), world.records);
  clone = path.join(world.root, 'clone');
  await makeClone(host, world.repo, { dir: clone, branch: 'work', workItem: 'ET-1', head: null });
});
afterAll(() => world.cleanUp());

const fed = (input: string | Buffer, ...args: string[]): string =>
  execFileSync('git', args, { cwd: clone, input, encoding: 'utf8', env: { PATH: process.env['PATH'] } }).trimEnd();

/** A tree that has besides what base has: name to mode and content; a name may have one directory. */
function tree(entries: Record<string, [mode: string, content: string]>): string {
  const lines = Object.entries(entries).map(([name, [mode, content]]) => {
    const oid = mode === '160000' ? base : fed(content, 'hash-object', '-w', '--stdin');
    const [first = '', rest] = name.split('/');
    const file = (as: string): string => `${mode} ${mode === '160000' ? 'commit' : 'blob'} ${oid}\t${as}\0`;
    return rest === undefined ? file(first) : `040000 tree ${fed(file(rest), 'mktree', '-z')}\t${first}\0`;
  });
  const ours = git(clone, 'ls-tree', '-z', base);
  return fed(Buffer.from(`${ours}${lines.join('')}`, 'utf8'), 'mktree', '-z');
}

interface Parts {
  tree?: string;
  parents?: string[];
  message?: string | Buffer;
  encoding?: string;
}

/** Written by hand, since git makes no such commits. */
function commit(parts: Parts): string {
  const head = [
    `tree ${parts.tree ?? tree({ 'new.txt': ['100644', 'new\n'] })}`,
    ...(parts.parents ?? [base]).map((parent) => `parent ${parent}`),
    ...['author', 'committer'].map((who) => `${who} Agent <agent@localhost> 1770000000 +0000`),
    ...(parts.encoding === undefined ? [] : [`encoding ${parts.encoding}`]),
  ].join('\n');
  const bytes = Buffer.concat([Buffer.from(`${head}\n\n`), Buffer.from(parts.message ?? 'Work\n')]);
  return fed(bytes, 'hash-object', '-t', 'commit', '-w', '--stdin');
}

const withFile = (name: string, content = 'x\n', mode = '100644') =>
  commit({ tree: tree({ [name]: [mode, content] }) });
const withLink = (name: string, target: string) => withFile(name, target, '120000');
const FORGED = 'Innocent\n\nSignalbox-Task: web/ET-9\n';

/** What the commit is, how it is made, and the reason that names the path or the commit, and the rule. */
const COMMITS: [string, () => string, RegExp][] = [
  ['a submodule', () => withFile('sub', '', '160000'), /a new submodule at "sub"/],
  ['.git', () => withFile('.git/config'), /hasDotgit: contains '.git'/],
  ['.GIT', () => withFile('.GIT/config'), /hasDotgit: contains '.git'/],
  ['git~1', () => withFile('git~1/config'), /hasDotgit: contains '.git'/],
  ['.git with a character that is ignored', () => withFile('.g\u200cit/config'), /hasDotgit: contains '.git'/],
  ['another short name', () => withFile('GIT~2/config'), /can be taken for \.git: "GIT~2\/config"/],
  ['a stream of .git', () => withFile('a/.git::$DATA'), /hasDotgit|can be taken for \.git: "a\/\.git::\$DATA"/],
  ['a line end in a name', () => withFile('a\nb'), /control characters: "a\\nb"/],
  ['a link to an absolute place', () => withLink('l', '/etc/passwd'), /absolute symbolic link "l" -> "\/etc\/passwd"/],
  ['a link out of the tree', () => withLink('d/l', '../../x'), /leaves the tree "d\/l" -> "..\/..\/x"/],
  ['a link around another', () => withLink('l', 'src/../../x'), /'\.\.' in the middle "l"/],
  ['a link into .git', () => withLink('l', '.GIT/hooks'), /into \.git "l"/],
  ['a link as .gitmodules', () => withLink('.gitmodules', 'README.md'), /gitmodulesSymlink/],
  [
    'settings of ours',
    () => withFile('.signalbox/pipeline.yaml'),
    /\.signalbox\/pipeline\.yaml is for a person to push/,
  ],
  ['settings of ours as a link', () => withLink('.signalbox', 'src'), /change of \.signalbox is for a person to push/],
  ['forged trailers', () => commit({ message: FORGED }), /^commit \w{12} has a Signalbox-… line in its message/],
  [
    'forged trailers in a merge',
    () => commit({ message: FORGED, parents: [commit({}), commit({ message: 'Side\n' })] }),
    /^commit \w{12} has a Signalbox-… line in its message/,
  ],
  ['no parents', () => commit({ parents: [] }), /shares no history with the base branch/],
  [
    'a merged commit without parents',
    () => commit({ parents: [base, commit({ parents: [] })] }),
    /^commit \w{12} begins a history of its own/,
  ],
  ['a message that is not UTF-8', () => commit({ message: Buffer.from('Gr\xfc\xdfe\n', 'latin1') }), /is not UTF-8/],
  ['a message in another encoding', () => commit({ encoding: 'ISO-8859-1' }), /the message of \w{12} is not UTF-8/],
];

describe('a commit', () => {
  it.each(COMMITS)(
    'with %s is refused at its import, and in the queue when it comes another way',
    async (_, make, why) => {
      const made = make();
      git(clone, 'update-ref', 'refs/heads/work', made);
      const request = { clone, branch: 'work', workItem: 'ET-1', previous: null };
      const reason = expect.stringMatching(why) as string;
      expect(await importHead(host, world.repo, request)).toEqual({ kind: 'refused', reason });
      git(clone, 'push', '-q', '-f', world.remote, `${made}:refs/signalbox/heads/ET-1`);
      expect(await landings.prepareLanding(world.request('ET-1', made), null)).toEqual({ kind: 'refused', reason });
      expect(world.base()).toBe(base);
    },
  );
});

describe('a clone', () => {
  it.each(['shallow', 'info/grafts', 'objects/info/alternates', 'objects/info/http-alternates', 'commondir'])(
    'with .git/%s is not read',
    async (name) => {
      git(clone, 'update-ref', 'refs/heads/work', commit({}));
      const file = path.join(clone, '.git', name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, `${base}\n`);
      const request = { clone, branch: 'work', workItem: 'ET-1', previous: null };
      const result = await importHead(host, world.repo, request);
      rmSync(file);
      expect(result).toEqual({ kind: 'refused', reason: `the clone has a .git/${name}` });
    },
  );
});
