/** After a run has ended: what it did, taken from its clone by way of the gate, and what it came to. */
import type { ExitRecord } from '../../domain/agents/exit.js';
import { decideOutcome, lostOutcome, overdueOutcome, type RunFacts } from '../../domain/agents/outcome.js';
import type { RunOutcome, RunReport, Usage } from '../../domain/agents/types.js';
import { withoutSecrets } from '../../domain/plain-text.js';
import type { Repo } from '../../domain/repos.js';
import { findProfile } from '../../store/agent-profiles.js';
import type { Pool } from '../../store/db.js';
import { runKeys, type RunStart } from '../../store/run-keys.js';
import { listRuns, type Run, type RunEnd } from '../../store/runs.js';
import type { RunAgentInput } from '../../workflows/activities.js';
import { importHead, pushHead } from '../git/heads.js';
import type { AgentHost } from './host.js';
import { noteClone } from './prepare-run.js';
import { plainTail, plainText } from './plain-file.js';
import { readStop, RESULT_LIMIT, runFiles } from './records.js';
import { killTree, type RunProbe } from './supervisor.js';
import { blobsAt, forgetClone } from './task-clone.js';
import { hashOf, isSignedBy } from './warrant.js';

export interface Settled {
  report: RunReport;
  usage: Usage | null;
  exitCode: number | null;
}

/** `overdue`: still there long after all of its limits. */
export type RunEnding = RunProbe | { state: 'overdue' };

/** Takes over what an ended run did. Safe to repeat: git is asked what is there, and pushes look before they act. */
export async function settleRun(host: AgentHost, repo: Repo, input: RunAgentInput, end: RunEnding): Promise<Settled> {
  const runDir = host.paths.run(input.run.runId);
  const vouched = await vouchedEnd(host.pool, input.run.runId, end);
  if (vouched.kind === 'lost') {
    await killTree(runDir);
    const stopped = readStop(runDir);
    const { reason } = vouched;
    const without = end.state === 'overdue' ? overdueOutcome() : lostOutcome(reason);
    const outcome: RunOutcome = stopped === null ? without : { kind: 'stopped', reason: stopped };
    return { report: await makeReport(host, repo, input, { outcome, head: input.head }), usage: null, exitCode: null };
  }
  const { exit, facts } = vouched;
  const taken = await takeBranch(host, repo, input, exit, facts?.start ?? input.head);
  const blobs = await blobsAt(host, repo, taken.head, input.artifacts);
  const { outcome, usage } = decideOutcome({
    exit,
    resultText: resultText(runDir, exit),
    commitsMode: input.stage.commits,
    commits: taken.commits + (await carriedCommits(host, input)),
    refused: taken.refused,
    document: documentOf(input, blobs),
    printed: await printed(host, input, exit),
  });
  if (exit.phase === 'refresh') await forgetClone(host, input.run.repo, input.run.workItem);
  else if (facts !== null) {
    await noteClone(host, input, facts, { head: taken.head, setUp: ['ran', 'cached'].includes(exit.setup.end) });
  }
  const notes = [...taken.notes, ...exitNotes(exit), 'ran without a sandbox, as the user of the host'];
  const { head, commits } = taken;
  const stacked = input.head === null && input.stackBase != null && facts !== null ? { stackBase: facts.start } : {};
  const report = await makeReport(host, repo, input, { outcome, head, ...stacked, commits, notes, artifacts: blobs });
  return { report, usage, exitCode: exit.code };
}

export type VouchedEnd = { kind: 'ended'; exit: ExitRecord; facts: RunStart | null } | { kind: 'lost'; reason: string };

/** The end of a run, if the supervisor that we started says so. Whatever else lies in its directory proves nothing. */
export async function vouchedEnd(pool: Pool, runId: string, end: RunEnding): Promise<VouchedEnd> {
  if (end.state === 'lost') return { kind: 'lost', reason: end.reason };
  if (end.state === 'overdue') return { kind: 'lost', reason: 'its supervisor did not end it in time' };
  if (end.state !== 'exited') return { kind: 'lost', reason: 'the run did not start' };
  const { exit } = end;
  const by = (await runKeys(pool, runId)).find(({ key }) => isSignedBy(exit, key));
  if (by === undefined) return { kind: 'lost', reason: 'its exit record is not by the supervisor' };
  return { kind: 'ended', exit, facts: by.facts };
}

/** The result file as the supervisor read it; null where there is none, or another one by now. */
function resultText(runDir: string, exit: ExitRecord): string | null {
  if (exit.result !== 'copied') return null;
  const text = plainText(runFiles(runDir).result, RESULT_LIMIT);
  return text !== null && hashOf(text) === exit.resultHash ? text : null;
}

/** What a stage that may not commit could not write, it need not. */
function documentOf({ run, stage }: RunAgentInput, blobs: Record<string, string | null>): RunFacts['document'] {
  if (stage.artifact === null || stage.commits === 'forbidden') return null;
  const path = stage.artifact.replaceAll('{workItem}', run.workItem);
  return { path, written: blobs[path] != null };
}

/** Enough for a few lines of any width. */
const TAIL_READ = 64 * 1024;

/** The end of what it printed last: on stderr, else on stdout. The profile's variables may be secrets, so none is in it. */
async function printed(host: AgentHost, { run }: RunAgentInput, exit: ExitRecord): Promise<string> {
  const files = runFiles(host.paths.run(run.runId));
  const logs = exit.phase === 'commands' ? [files.err, files.out] : [files.setupLog];
  const text = logs.map((file) => plainTail(file, 0, TAIL_READ)).find((tail) => tail.trim() !== '') ?? '';
  const profile = await findProfile(host.pool, run.agent);
  return withoutSecrets(text, profile?.env ?? {});
}

interface Taken {
  head: string | null;
  commits: number;
  refused: string | null;
  notes: string[];
}

async function takeBranch(
  host: AgentHost,
  repo: Repo,
  input: RunAgentInput,
  exit: ExitRecord,
  start: string | null,
): Promise<Taken> {
  const { workItem } = input.run;
  const nothing: Taken = { head: input.head, commits: 0, refused: null, notes: [] };
  if (exit.phase !== 'commands' || exit.stoppedBy === 'request') return nothing;
  const clone = host.paths.clone(input.run.repo, workItem);
  const made = await importHead(host.git, repo, { clone, branch: input.branch, workItem, previous: start });
  if (input.stage.commits === 'forbidden') {
    const lost = made.kind === 'imported' ? `${made.commits} commit(s)` : 'commits';
    const changed = made.kind === 'refused' || made.head !== start;
    return changed ? { ...nothing, notes: [`${input.stage.name} may not commit: ${lost} discarded`] } : nothing;
  }
  if (made.kind === 'refused') return { ...nothing, refused: made.reason };
  const pushed = await pushHead(host.git, repo, workItem, made.head);
  if (pushed.kind === 'pushed') return { ...nothing, head: pushed.head, commits: made.commits };
  const why = pushed.kind === 'refused' ? pushed.reason : 'somebody else moved the head of this task on the remote';
  return { ...nothing, refused: `the remote does not take the branch: ${why}` };
}

/** What earlier tries of this stage added before they failed for other reasons: it is on the branch, and counts. */
async function carriedCommits(host: AgentHost, { run }: RunAgentInput): Promise<number> {
  const earlier = (await listRuns(host.pool, run.repo, run.workItem))
    .filter((r) => r.generation === run.generation && r.stage === run.stage && r.attempt < run.attempt)
    .sort((a, b) => b.attempt - a.attempt);
  let commits = 0;
  for (const { report } of earlier) {
    if (report?.outcome.kind !== 'fault' && report?.outcome.kind !== 'transient') break;
    commits += report.commits;
  }
  return commits;
}

function exitNotes(exit: ExitRecord): string[] {
  const notes: string[] = [];
  if (exit.leftoversCommitted) notes.push('what it left uncommitted was committed for it');
  if (exit.leftoversError !== null) notes.push(`what it left uncommitted is lost: ${exit.leftoversError}`);
  if (exit.outputTruncated) notes.push(`its output of ${exit.outputBytes} bytes was over the limit and is cut`);
  if (exit.survivors > 0) notes.push(`${exit.survivors} of its processes could not be ended`);
  return notes;
}

async function makeReport(
  host: AgentHost,
  repo: Repo,
  { run, artifacts }: RunAgentInput,
  found: Partial<RunReport> & { outcome: RunOutcome; head: string | null },
): Promise<RunReport> {
  const blobs = found.artifacts ?? (await blobsAt(host, repo, found.head, artifacts));
  return { runId: run.runId, commits: 0, notes: [], ...found, artifacts: blobs };
}

/** The row of an ended run. */
export function runEnd(run: Run, { report, usage, exitCode }: Settled): RunEnd {
  const { outcome } = report;
  const status = {
    passed: 'passed',
    failed: 'failed',
    'needs-human': 'passed',
    fault: 'failed',
    transient: 'failed',
    stopped: 'stopped',
  } as const;
  const lost = outcome.kind === 'transient' && outcome.failureClass === 'host-lost';
  return {
    id: run.id,
    fence: run.fence,
    status: lost ? 'lost' : status[outcome.kind],
    exitCode,
    failureClass: failureClass(outcome),
    usage,
    report,
    error:
      'reason' in outcome ? outcome.reason : outcome.kind === 'failed' ? (outcome.summary ?? 'verdict fail') : null,
  };
}

function failureClass(outcome: RunOutcome): RunEnd['failureClass'] {
  if (outcome.kind === 'fault' || outcome.kind === 'transient') return outcome.failureClass;
  if (outcome.kind === 'stopped') return 'stopped';
  return outcome.kind === 'failed' ? 'verdict-fail' : null;
}
