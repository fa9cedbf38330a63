/** Random trees with odd names, commits of them, and what a hostile check may do to an export of one. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import fc from 'fast-check';

/** Path → what is there. Bytes are latin1 characters throughout. */
export type Tree = Record<string, { mode: '100644' | '100755' | '120000'; text: string }>;

const NAMES = ['a', 'b', 'c.txt', 'with space', 'new\nline', '-dash', '\xff\xfe', 'd', 'lib', 'tab\t"'];
const leaf: fc.Arbitrary<Tree[string]> = fc.oneof(
  fc.record({
    mode: fc.constantFrom<('100644' | '100755')[]>('100644', '100755'),
    text: fc.constantFrom('', 'one\n', 'two\n', '\x00\xff'),
  }),
  fc.record({ mode: fc.constant('120000' as const), text: fc.constantFrom('a', 'lib/b', '../x', 'nowhere') }),
);

export const trees: fc.Arbitrary<Tree> = fc
  .array(fc.tuple(fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 }), leaf), {
    ...{ minLength: 1, maxLength: 14 },
  })
  .map((all) => {
    const made: Tree = {};
    for (const [names, value] of all) {
      const name = names.join('/');
      const clash = Object.keys(made).some((k) => k === name || k.startsWith(`${name}/`) || name.startsWith(`${k}/`));
      if (!clash) made[name] = value;
    }
    return made;
  });

const quoted = (bytes: string): string =>
  `"${[...Buffer.from(bytes, 'latin1')].map((c) => `\\${c.toString(8).padStart(3, '0')}`).join('')}"`;

/** Commits of these trees on one branch of a bare repository, oldest first. */
export function commitTrees(remote: string, branch: string, all: readonly Tree[]): string[] {
  const blob = (text: string): string => `data ${text.length}\n${text}\n`;
  const input = all.map(
    (tree, i) =>
      `commit refs/heads/${branch}\nmark :${i + 1}\ncommitter A <a@b> 1700000000 +0000\n${blob('tree')}` +
      `${i === 0 ? '' : `from :${i}\n`}deleteall\n` +
      Object.entries(tree)
        .map(([name, { mode, text }]) => `M ${mode} inline ${quoted(name)}\n${blob(text)}`)
        .join(''),
  );
  const marks = `${remote}/marks`;
  execFileSync('git', ['fast-import', '--quiet', '--force', `--export-marks=${marks}`], {
    ...{ cwd: remote, input: Buffer.from(input.join(''), 'latin1') },
  });
  const ids = new Map(
    readFileSync(marks, 'utf8')
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  );
  return all.map((_, i) => ids.get(`:${i + 1}`) ?? '');
}

const raw = (path: string): Buffer => Buffer.from(path, 'latin1');

/** Everything that lies in a directory: kind, mode and content by path. */
export function picture(dir: string): Record<string, string> {
  const found: Record<string, string> = {};
  const read = (at: string, prefix: string): void => {
    for (const name of readdirSync(raw(at), { encoding: 'latin1' })) {
      const file = raw(`${at}/${name}`);
      const stat = lstatSync(file);
      const mode = (stat.mode & 0o7777).toString(8);
      if (stat.isDirectory()) {
        found[`${prefix}${name}/`] = mode;
        read(`${at}/${name}`, `${prefix}${name}/`);
      } else if (stat.isSymbolicLink()) found[prefix + name] = `-> ${readlinkSync(file, { encoding: 'latin1' })}`;
      else found[prefix + name] = `${mode} ${stat.nlink} ${stat.isFile() ? readFileSync(file, 'latin1') : 'special'}`;
    }
  };
  read(dir, '');
  return found;
}

export const DEEDS = [
  ...['change', 'change-as-if-not', 'rewrite', 'chmod', 'link-out', 'hard-link', 'delete', 'swap', 'dir-for-file'],
  ...['file-for-dir', 'link-for-dir', 'rename-dir', 'sticky-dir', 'lock-dir', 'junk', 'fifo'],
] as const;

let made = 0;

/** Does one of them at a place that `pick` chooses; nothing where there is no such place. `outside` is a directory. */
export function vandalise(dir: string, outside: string, deed: (typeof DEEDS)[number], pick: number): void {
  const found = Object.keys(picture(dir)).map((name) => `${dir}/${name}`);
  const choose = (list: string[]): string | undefined => list[pick % Math.max(1, list.length)];
  const files = found.filter((name) => !name.endsWith('/') && lstatSync(raw(name)).isFile());
  const file = choose(files);
  const folder = choose(found.filter((name) => name.endsWith('/')))?.slice(0, -1);
  const aside = `${outside}/taken-${(made += 1)}`;
  if (deed === 'fifo') execFileSync('mkfifo', [`${dir}/fifo-${made}`]);
  else if (deed === 'junk') {
    mkdirSync(`${dir}/junk-${made}/deep/er`, { recursive: true });
    writeFileSync(`${dir}/junk-${made}/deep/er/x`, 'x');
    chmodSync(`${dir}/junk-${made}/deep`, 0o000);
  } else if (deed.endsWith('dir') && folder !== undefined) {
    if (deed === 'sticky-dir') chmodSync(raw(folder), 0o3777);
    else if (deed === 'lock-dir') chmodSync(raw(folder), 0o000);
    else if (deed === 'rename-dir') renameSync(raw(folder), `${dir}/renamed-${made}`);
    else {
      renameSync(raw(folder), aside);
      if (deed === 'link-for-dir') symlinkSync(outside, raw(folder));
      else writeFileSync(raw(folder), 'a file');
    }
  } else if (file !== undefined) onFile(deed, file, choose(files.slice(1)) ?? file, { pick, aside, outside });
}

function onFile(
  deed: string,
  file: string,
  other: string,
  { pick, aside, outside }: { pick: number; aside: string; outside: string },
): void {
  const { atime, mtime, size, mode } = lstatSync(raw(file));
  chmodSync(raw(file), mode | 0o600);
  if (deed === 'change') writeFileSync(raw(file), 'changed');
  else if (deed === 'rewrite') writeFileSync(raw(file), readFileSync(raw(file)));
  else if (deed === 'change-as-if-not') {
    writeFileSync(raw(file), 'x'.repeat(size));
    utimesSync(raw(file), atime, mtime);
  } else if (deed === 'chmod') chmodSync(raw(file), pick % 2 === 0 ? 0o6777 : 0o000);
  else if (deed === 'hard-link') linkSync(raw(file), aside);
  else if (deed === 'swap') {
    renameSync(raw(other), aside);
    if (other !== file) renameSync(raw(file), raw(other));
    renameSync(aside, raw(file));
  } else {
    unlinkSync(raw(file));
    if (deed === 'link-out') symlinkSync(`${outside}/canary`, raw(file));
    else if (deed === 'dir-for-file') {
      mkdirSync(raw(file));
      writeFileSync(raw(`${file}/in`), 'in');
    }
  }
}
