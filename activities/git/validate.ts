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
  const steps = range.commits.map((commit) => `${commit.oid}\n`).join('');
  return (
    messageFault(range) ??
    (await treeFault(gate, [range.common, head])) ??
    // A rebase lands every commit as it is: what a later one takes back would stay in the history.
    (await treeFault(gate, ['--stdin', '--no-commit-id', '--root'], steps)) ??
    sizeFault(range)
  );
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

/** The rules on what changed, between two commits or (by `input`) in each commit that is no merge. */
async function treeFault(gate: Gate, what: readonly string[], input?: string): Promise<string | null> {
  const args = ['diff-tree', '-r', '-z', '--raw', '--no-abbrev', '--no-renames', '--no-ext-diff', ...what];
  const call = { binary: true, ...(input === undefined ? {} : { input }) };
  const fields = (await gate.run(args, call)).stdout.split('\0');
  const links: { path: string; oid: string }[] = [];
  let added = 0;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [oldMode = '', mode = '', , oid = ''] = (fields[i] ?? '').replace(/^:/, '').split(' ');
    const path = Buffer.from(fields[i + 1] ?? '', 'latin1').toString('utf8');
    if (path === '.signalbox' || path.startsWith('.signalbox/')) {
      return `a change of ${path} is for a person to push: no agent may change what steers its own tasks`;
    }
    if (mode === '000000') continue;
    if (oldMode === '000000' && (added += 1) > MAX_NEW_FILES) return `more than ${MAX_NEW_FILES} new files`;
    const fault = pathFault(path);
    if (fault !== null) return fault;
    if (mode === '160000' && oldMode !== '160000') return `a new submodule at ${JSON.stringify(path)}`;
    if (mode === '120000') links.push({ path, oid });
  }
  const targets = await gate.objects.contents(links.map((link) => link.oid));
  for (const [i, link] of links.entries()) {
    const fault = linkFault(link.path, targets[i]?.bytes.toString('utf8') ?? '');
    if (fault !== null) return fault;
  }
  return null;
}

/** Every blob that the range brings, also one that a later commit removed again: it would stay in the history. */
function sizeFault({ objects }: Range): string | null {
  const large = objects.find((object) => object.type === 'blob' && object.size > MAX_BLOB);
  return large === undefined ? null : `a file of ${large.size} bytes (blob ${large.oid}), over 100 MiB`;
}
