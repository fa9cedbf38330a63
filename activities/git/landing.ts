/** Prepare, publish and fence as activities: each takes the gate of its repository, and the store at the moment of use. */
import { SignalboxError } from '../../domain/errors.js';
import type { Repo } from '../../domain/repos.js';
import type {
  EnqueueRequest,
  FenceResult,
  LandingPlan,
  PrepareResult,
  PublishResult,
} from '../../domain/merge-queue/types.js';
import { followCheckout } from './checkout.js';
import { fence } from './fence.js';
import { withGate } from './gate.js';
import { UNANNOUNCED, type Announcing } from './head-branch.js';
import type { GitHost, LandingRecords } from './host.js';
import { prepare } from './prepare.js';
import { publish, type PublishVerdict } from './publish.js';

export interface Landings {
  prepareLanding(request: EnqueueRequest, acceptTip: string | null): Promise<PrepareResult>;
  publishLanding(plan: LandingPlan, verdict: PublishVerdict): Promise<PublishResult>;
  fenceLanding(repo: string, base: string, plan: LandingPlan | null): Promise<FenceResult>;
}

/** `stopRequested` throws when the caller was cancelled; asked directly before a push. */
export function createLandings(
  host: GitHost,
  records: LandingRecords,
  stopRequested: () => void = () => undefined,
  announcing: Announcing = UNANNOUNCED,
): Landings {
  return {
    async prepareLanding(request, acceptTip) {
      const repo = await requireRepo(records, request.repo);
      return withGate(host, repo, (gate) => prepare(gate, records, request, acceptTip));
    },
    async publishLanding(plan, verdict) {
      const repo = await requireRepo(records, plan.entry.repo);
      return withGate(host, repo, (gate) => publish(gate, records, plan, verdict, stopRequested, announcing));
    },
    async fenceLanding(id, _base, plan) {
      const repo = await requireRepo(records, id);
      return withGate(host, repo, async (gate) => {
        const result = await fence(gate, plan);
        if (result.kind !== 'landed') return result;
        // The publisher may have died between its push and this.
        const checkoutBehind = await followCheckout(gate, result.landing);
        return checkoutBehind === null ? result : { ...result, checkoutBehind };
      });
    },
  };
}

export async function requireRepo(records: Pick<LandingRecords, 'repo'>, id: string): Promise<Repo> {
  const repo = await records.repo(id);
  if (repo === null) throw new SignalboxError('not-found', `there is no repository ${id}`);
  return repo;
}
