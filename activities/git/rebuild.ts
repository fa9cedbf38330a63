/** Reads from the remote what a store that was lost can have back. */
import { landingsIn } from '../../domain/merge-queue/audit-claims.js';
import type { FoundLandings } from '../../domain/merge-queue/rebuild.js';
import type { Repo } from '../../domain/repos.js';
import { makeAllAgain } from './again.js';
import { hasObject, isAncestor, withGate, type Gate } from './gate.js';
import { listCommits, OURS, readBaseAndTip, readHistoryCommits } from './history.js';
import type { GitHost } from './host.js';
import { listRemote } from './remote.js';

/** All of base is looked at, also what is before the adoption. Throws `not-found` without the branch. */
export async function findLandings(host: GitHost, repo: Repo, base: string): Promise<FoundLandings> {
  const found = await withGate(host, repo, (gate) => read(gate, base));
  const again = await makeAllAgain(host, repo, base, found.landings);
  // Trailers can be written by hand. What they name must give this very commit.
  const landings = found.landings.filter(({ commit }) => again[commit.oid]?.kind !== 'differs');
  const first = landings[0]?.facts.baseOid;
  const older = first !== undefined && (await withGate(host, repo, (gate) => isOlder(gate, first, repo.adoptedAt)));
  return { landings, from: older ? first : repo.adoptedAt, workItems: found.workItems };
}

const isOlder = async (gate: Gate, first: string, adopted: string): Promise<boolean> =>
  (await hasObject(gate, adopted)) ? isAncestor(gate, first, adopted) : hasObject(gate, first);

async function read(gate: Gate, base: string): Promise<Pick<FoundLandings, 'landings' | 'workItems'>> {
  const { repo } = gate;
  const { to, tip } = await readBaseAndTip(gate, base);
  const here = await listCommits(gate, [...OURS, to]);
  const gone = tip === null ? [] : await listCommits(gate, [...OURS, tip, `^${to}`]);
  const find = async (oids: readonly string[]) =>
    landingsIn({ repo: repo.id, base }, await readHistoryCommits(gate, base, oids, new Set()), '');
  const landings = await find(here);
  const landed = [...landings, ...(await find(gone))].map(({ facts }) => facts.task.slice(repo.id.length + 1));
  const { headsPrefix } = repo.facts;
  const heads = [...(await listRemote(gate.host, gate.remote, [])).keys()]
    .filter((ref) => ref.startsWith(headsPrefix))
    .map((ref) => ref.slice(headsPrefix.length));
  return { landings, workItems: [...new Set([...landed, ...heads])] };
}
