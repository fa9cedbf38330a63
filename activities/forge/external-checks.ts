/**
 * External checks: the commit under check is put at `refs/heads/signalbox/check/<entry>` of the remote, where the forge's
 * own checks see it, and the forge is asked what it says of that commit.
 */
import { checkedCommit, checkRefName, readingText } from '../../domain/checks/external.js';
import type { CheckSource, ExternalCheck } from '../../domain/checks/types.js';
import { SignalboxError } from '../../domain/errors.js';
import type { Repo } from '../../domain/repos.js';
import type { Pool } from '../../store/db.js';
import { dropWaits, noteSeen, noteWait } from '../../store/external-waits.js';
import { getRepo } from '../../store/repos.js';
import type { CheckInput, ExternalLook, ExternalPut, GitActivities } from '../../workflows/activities.js';
import { checkWorkflowId, contentId } from '../../workflows/ids.js';
import { locate } from '../git/export.js';
import { withGate } from '../git/gate.js';
import type { GitHost } from '../git/host.js';
import { listRemote, push } from '../git/remote.js';
import { openForge } from './open.js';

export type ForgeActivities = Pick<GitActivities, 'putExternalCheck' | 'readExternalCheck' | 'dropExternalChecks'>;

const PUSH_TRIES = 3;

export function externalChecks(host: GitHost, pool: Pool): ForgeActivities {
  return {
    async putExternalCheck(input, check) {
      const repo = await requireRepo(pool, input.repo);
      const put = await putCommit(host, repo, input);
      if (put.kind === 'refused') return put;
      const wait = { workflowId: workflowOf(input), context: check.context, repo: repo.id, sha: put.commit };
      await noteWait(pool, { ...wait, workItem: workItemOf(input.source) }, check.timeout);
      return put;
    },
    async readExternalCheck(input, check, commit) {
      const look = await lookAt(host, await requireRepo(pool, input.repo), check, commit);
      const url = look.kind === 'read' && look.reading.state !== 'absent' ? look.reading.url : null;
      const seen = look.kind === 'read' ? readingText(look.reading) : look.reason;
      await noteSeen(pool, { workflowId: workflowOf(input), context: check.context }, seen, url);
      return look;
    },
    async dropExternalChecks(input) {
      await dropWaits(pool, workflowOf(input));
      const repo = await requireRepo(pool, input.repo);
      const ref = checkRef(input);
      const commit = checkedCommit(input.source);
      await withGate(host, repo, async (gate) => {
        const found = (await listRemote(host, gate.remote, [ref])).get(ref);
        // Another plan of the entry is under check there, or it is gone already.
        if (found === commit) await push(gate, [{ ref, oid: '', expect: commit }]);
      });
    },
  };
}

async function putCommit(host: GitHost, repo: Repo, input: CheckInput): Promise<ExternalPut> {
  const ref = checkRef(input);
  return withGate(host, repo, async (gate) => {
    const { commit } = await locate(gate, input.source);
    let reason = '';
    for (let tried = 0; ; tried += 1) {
      const found = (await listRemote(host, gate.remote, [ref])).get(ref) ?? null;
      if (found === commit) return { kind: 'put', commit };
      if (tried === PUSH_TRIES) throw new SignalboxError('git-infrastructure', `${ref} was not pushed: ${reason}`);
      const pushed = await push(gate, [{ ref, oid: commit, expect: found }]);
      if (pushed.kind === 'refused') return { kind: 'refused', reason: `the remote refuses ${ref}: ${pushed.reason}` };
      reason = pushed.kind === 'pushed' ? 'it said so, but the remote does not show it' : pushed.reason;
    }
  });
}

async function lookAt(host: GitHost, repo: Repo, check: ExternalCheck, commit: string): Promise<ExternalLook> {
  try {
    const { forge } = await openForge(host.lookup, repo);
    return { kind: 'read', reading: await forge.readStatus(commit, check.context) };
  } catch (err) {
    // Later looks may be answered; a token that is refused will not be.
    if (!(err instanceof SignalboxError) || err.retryable) throw err;
    return { kind: 'refused', reason: err.message };
  }
}

const checkRef = (input: CheckInput): string =>
  `refs/heads/signalbox/check/${checkRefName(input.source, contentId(input.key))}`;

const workflowOf = (input: CheckInput): string => checkWorkflowId(input.repo, input.tree, input.configHash);

function workItemOf(source: CheckSource): string | null {
  if (source.kind === 'head') return source.workItem;
  return source.kind === 'plan' ? source.plan.entry.workItem : null;
}

async function requireRepo(pool: Pool, id: string): Promise<Repo> {
  const repo = await getRepo(pool, id);
  if (repo === null) throw new SignalboxError('not-found', `there is no repository ${id}`);
  return repo;
}
