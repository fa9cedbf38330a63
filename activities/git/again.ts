/** Makes landings once more from the parts that their trailers name: what comes out the same was made so. */
import type { Again, AuditedLanding } from '../../domain/merge-queue/audit-types.js';
import { identSeconds } from '../../domain/merge-queue/commit.js';
import type { Repo } from '../../domain/repos.js';
import { allEnded } from './all-ended.js';
import { computeLanding } from './compute.js';
import { hasObject, withGate, type Gate } from './gate.js';
import type { GitHost } from './host.js';
import { fetchRefs, listRemote } from './remote.js';

/** Landings that are made again under one lock, so that others get it in between, and at once. */
const HELD = 32;
const AT_ONCE = 4;
/** Refs a fetch names on its command line. */
const FETCHED = 1000;

/** By landing commit. Their commits are in the gate; heads that it lacks are fetched. */
export async function makeAllAgain(
  host: GitHost,
  repo: Repo,
  base: string,
  landings: readonly AuditedLanding[],
): Promise<Record<string, Again>> {
  const again: Record<string, Again> = {};
  await withGate(host, repo, (gate) => fetchHeads(gate, landings));
  for (let i = 0; i < landings.length; i += HELD) {
    await withGate(host, repo, async (gate) => {
      const held = landings.slice(i, i + HELD);
      for (let j = 0; j < held.length; j += AT_ONCE) {
        await allEnded(
          held.slice(j, j + AT_ONCE).map(async (landing) => {
            again[landing.commit.oid] = await makeAgain(gate, base, landing);
          }),
        );
      }
    });
  }
  return again;
}

/** Brings the heads that the remote still has, of landings whose head this gate lacks. */
async function fetchHeads(gate: Gate, landings: readonly AuditedLanding[]): Promise<void> {
  const infos = await gate.objects.info(landings.map(({ facts }) => facts.head));
  const lacking = new Set(
    landings
      .filter((_, i) => infos[i]?.type !== 'commit')
      .map(({ facts }) => `${gate.repo.facts.headsPrefix}${facts.task.slice(gate.repo.id.length + 1)}`),
  );
  if (lacking.size === 0) return;
  // Names are asked of what the remote lists: a trailer may say anything.
  const there = [...(await listRemote(gate.host, gate.remote, [])).keys()].filter((ref) => lacking.has(ref));
  for (let i = 0; i < there.length; i += FETCHED) await fetchRefs(gate, there.slice(i, i + FETCHED));
}

async function makeAgain(gate: Gate, base: string, { commit, facts }: AuditedLanding): Promise<Again> {
  if (!(await hasObject(gate, facts.head))) return { kind: 'head-gone' };
  const entry = { ...facts, repo: gate.repo.id, base, workItem: facts.task.slice(gate.repo.id.length + 1) };
  // What shares no history cannot be merged, which git does not tell from a fault.
  const related = await gate.run(['merge-base', facts.baseOid, facts.head], { answers: [0, 1] });
  if (related.code === 1) return { kind: 'differs', how: 'its head shares no history with its base' };
  const { attributes } = commit;
  const timestamp = identSeconds(commit.committer);
  const made = await computeLanding(gate, { ...facts, entry, landingMessage: facts.message, attributes, timestamp });
  switch (made.kind) {
    case 'computed':
      return made.commit === commit.oid ? { kind: 'same' } : { kind: 'differs', how: made.commit };
    case 'contained':
      return { kind: 'differs', how: 'its base has its work already' };
    case 'conflict':
      return { kind: 'differs', how: `a conflict in ${made.conflict.paths.join(', ')}` };
    case 'refused':
      return { kind: 'differs', how: made.reason };
  }
}
