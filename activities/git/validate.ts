/** What may never land, whatever anybody approves: looked for in the range base..head before anything else uses it. */
import { hasOurTrailer } from '../../domain/merge-queue/plan.js';
import { linkFault, pathFault } from '../../domain/merge-queue/tree-rules.js';
import { rangeOids } from './compute.js';
import { readCommits, type Gate } from './gate.js';

const MAX_COMMITS = 10_000;
const MAX_MESSAGE = 64 * 1024;
const MAX_BLOB = 100 * 1024 * 1024;
const MAX_NEW_FILES = 100_000;

/** The reason why `head` can never land on `base`, or null. */
export async function rangeFault(gate: Gate, base: string, head: string): Promise<string | null> {
  const common = await gate.run(['merge-base', base, head], { answers: [0, 1] });
  if (common.code === 1) return 'the branch shares no history with the base branch';
  const oids = await rangeOids(gate, base, head);
  if (oids.length === 0) return null;
  if (oids.length > MAX_COMMITS) return `${oids.length} commits (at most ${MAX_COMMITS})`;
  return (
    (await messageFault(gate, oids)) ??
    (await treeFault(gate, common.stdout.trim(), head)) ??
    (await sizeFault(gate, base, head))
  );
}

async function messageFault(gate: Gate, oids: readonly string[]): Promise<string | null> {
  for (const commit of await readCommits(gate, oids)) {
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

async function treeFault(gate: Gate, from: string, head: string): Promise<string | null> {
  const args = ['diff-tree', '-r', '-z', '--raw', '--no-abbrev', '--no-renames', '--no-ext-diff', from, head];
  const fields = (await gate.run(args, { binary: true })).stdout.split('\0');
  const links: { path: string; oid: string }[] = [];
  let added = 0;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [oldMode = '', mode = '', , oid = ''] = (fields[i] ?? '').replace(/^:/, '').split(' ');
    const path = Buffer.from(fields[i + 1] ?? '', 'latin1').toString('utf8');
    if (path === '.signalbox' || path.startsWith('.signalbox/')) {
      return `a change of ${path} needs an approval by scope repos:admin, which is not available`;
    }
    if (mode === '000000') continue;
    if (oldMode === '000000' && (added += 1) > MAX_NEW_FILES) return `more than ${MAX_NEW_FILES} new files`;
    const fault = pathFault(path);
    if (fault !== null) return fault;
    if (mode === '160000' && oldMode !== '160000') return `a new submodule at ${JSON.stringify(path)}`;
    if (mode === '120000') links.push({ path, oid });
  }
  for (const link of links) {
    const { stdout } = await gate.run(['cat-file', 'blob', link.oid], { binary: true });
    const fault = linkFault(link.path, Buffer.from(stdout, 'latin1').toString('utf8'));
    if (fault !== null) return fault;
  }
  return null;
}

/** Every blob that the range brings, also one that a later commit removed again: it would stay in the history. */
async function sizeFault(gate: Gate, base: string, head: string): Promise<string | null> {
  const objects = await gate.text(['rev-list', '--objects', '--no-object-names', head, `^${base}`, '--']);
  const format = '--batch-check=%(objecttype) %(objectsize) %(objectname)';
  const { stdout } = await gate.run(['cat-file', format], { input: `${objects}\n` });
  for (const line of stdout.split('\n')) {
    const [type, size, oid] = line.split(' ');
    if (type === 'blob' && Number(size) > MAX_BLOB)
      return `a file of ${size ?? ''} bytes (blob ${oid ?? ''}), over 100 MiB`;
  }
  return null;
}
