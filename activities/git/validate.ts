/** What may never land, whatever anybody approves: looked for in the range base..head before anything else uses it. */
import { hasOurTrailer } from '../../domain/merge-queue/plan.js';
import { linkFault, pathFault } from '../../domain/merge-queue/tree-rules.js';
import type { Gate } from './gate.js';
import { MAX_COMMITS, type Range } from './range.js';

const MAX_MESSAGE = 64 * 1024;
const MAX_BLOB = 100 * 1024 * 1024;
const MAX_NEW_FILES = 100_000;

/** The reason why `head` can never land on base, or null. */
export async function rangeFault(gate: Gate, range: Range, head: string): Promise<string | null> {
  if (range.commits.length > MAX_COMMITS) return `more than ${MAX_COMMITS} commits`;
  return messageFault(range) ?? treeFault(gate, range, head);
}

function messageFault({ commits }: Range): string | null {
  for (const commit of commits) {
    const short = commit.oid.slice(0, 12);
    if (hasOurTrailer(commit.message))
      return `commit ${short} has a Signalbox-… line in its message: only landings may`;
    if (commit.encoding !== null || commit.message.includes('\uFFFD')) return `the message of ${short} is not UTF-8`;
    if (commit.message.length > MAX_MESSAGE) return `the message of ${short} is longer than ${MAX_MESSAGE} characters`;
    if (commit.parents.length === 0) return `commit ${short} begins a history of its own`;
    if (/[\uFFFD\0]/.test(commit.author)) return `the author of ${short} is not UTF-8`;
  }
  return null;
}

/**
 * The rules on what changed: in the change as a whole, and in each commit, since what a later one takes back would stay
 * in the history. Of a merge that is what it has from none of its parents.
 */
async function treeFault(gate: Gate, { commits, common }: Range, head: string): Promise<string | null> {
  const whole = commits.length === 1 && commits[0]?.parents[0] === common ? [] : [`${head} ${common}\n`];
  const input = [...whole, ...commits.map((commit) => `${commit.oid}\n`)].join('');
  const args = [
    'diff-tree',
    '--stdin',
    '-r',
    '-c',
    '-z',
    '--raw',
    '--no-abbrev',
    '--no-renames',
    '--no-ext-diff',
    '--root',
  ];
  const { stdout } = await gate.run(args, { binary: true, input });
  const links: Change[] = [];
  const blobs: string[] = [];
  let added = 0;
  for (const change of changes(stdout)) {
    if (change === 'next') added = 0;
    else {
      const fault = changeFault(change);
      if (fault !== null) return fault;
      if (change.isNew && (added += 1) > MAX_NEW_FILES) return `more than ${MAX_NEW_FILES} new files`;
      if (change.mode === '120000') links.push(change);
      if (change.mode.startsWith('1') && change.mode !== '160000') blobs.push(change.oid);
    }
  }
  const targets = await gate.objects.contents(links.map((link) => link.oid));
  for (const [i, link] of links.entries()) {
    const fault = linkFault(link.path, targets[i]?.bytes.toString('utf8') ?? '');
    if (fault !== null) return fault;
  }
  return sizeFault(gate, blobs);
}

function changeFault({ path, mode, oldModes }: Change): string | null {
  if (path === '.signalbox' || path.startsWith('.signalbox/')) {
    return `a change of ${path} is for a person to push: no agent may change what steers its own tasks`;
  }
  if (mode === '000000') return null;
  if (mode === '160000' && !oldModes.includes(mode)) return `a new submodule at ${JSON.stringify(path)}`;
  return pathFault(path);
}

interface Change {
  path: string;
  mode: string;
  oid: string;
  /** One for each parent. */
  oldModes: string[];
  isNew: boolean;
}

/** Reads `diff-tree -z --raw -c`: the id of each commit, then a colon for each parent, modes, ids, and the path. */
function* changes(text: string): Generator<Change | 'next'> {
  const fields = text.split('\0');
  for (let i = 0; i < fields.length; i += 1) {
    const field = fields[i] ?? '';
    const parents = /^:*/.exec(field)?.[0].length ?? 0;
    if (parents === 0) yield 'next';
    else {
      const parts = field.slice(parents).split(' ');
      const [oldModes, mode = '', oid = ''] = [parts.slice(0, parents), parts[parents], parts[2 * parents + 1]];
      const path = Buffer.from(fields[(i += 1)] ?? '', 'latin1').toString('utf8');
      yield { path, mode, oid, oldModes, isNew: mode !== '000000' && oldModes.every((old) => old === '000000') };
    }
  }
}

/** Every blob that the range brings, also one that a later commit removed again: it would stay in the history. */
async function sizeFault(gate: Gate, blobs: readonly string[]): Promise<string | null> {
  const found = await gate.objects.info([...new Set(blobs)]);
  const large = found.find((object) => object !== null && object.size > MAX_BLOB);
  return large == null ? null : `a file of ${large.size} bytes (blob ${large.oid}), over 100 MiB`;
}
