/** Finds landings in the history of base by what proves them. */
import { provenLanding, readTrailers, type LandingFacts } from '../../domain/merge-queue/plan.js';
import { identSeconds, type CommitObject } from '../../domain/merge-queue/commit.js';
import type { EntryIdentity, Landing } from '../../domain/merge-queue/types.js';
import { attributeForms } from './attributes.js';
import type { Gate } from './gate.js';
import { claimedLandings } from './landing-index.js';

/**
 * The landing of this entry, or of this task in this generation, among the first parents of `tip` since the adoption.
 * A commit counts only if its plan id comes out again.
 */
export async function findLanding(gate: Gate, entry: EntryIdentity, tip: string): Promise<Landing | null> {
  for (const commit of await claimedLandings(gate, tip)) {
    const claims = [`Signalbox-Entry: ${entry.entry}`, `Signalbox-Task: ${entry.task}`];
    if (!claims.some((claim) => commit.message.includes(claim))) continue;
    const facts = provenLanding(commit, entry.repo, entry.base, null) ?? (await withAttributes(gate, entry, commit));
    if (facts === null || facts.task !== entry.task) continue;
    if (facts.entry !== entry.entry && facts.generation !== entry.generation) continue;
    return {
      ...{ entry: facts.entry, task: facts.task, generation: facts.generation, head: facts.head },
      ...{ commit: commit.oid, tree: commit.tree, base: facts.baseOid, plan: facts.plan },
      at: new Date(identSeconds(commit.committer) * 1000).toISOString(),
      verdict: publishedVerdict(gate),
    };
  }
  return null;
}

async function withAttributes(gate: Gate, entry: EntryIdentity, commit: CommitObject): Promise<LandingFacts | null> {
  const claimed = readTrailers(commit.message)?.baseOid ?? '';
  if (!/^[0-9a-f]{40,64}$/.test(claimed)) return null;
  const [forms = []] = await attributeForms(gate, [claimed]);
  return (
    forms.map((form) => provenLanding(commit, entry.repo, entry.base, form)).find((facts) => facts !== null) ?? null
  );
}

/** Nothing is published but on a green verdict, or without one where the repository has no checks. */
export const publishedVerdict = (gate: Gate): 'green' | 'none' =>
  gate.repo.config.checks.length > 0 ? 'green' : 'none';
