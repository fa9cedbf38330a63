import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CheckRunResult, Verdict } from '../../../domain/checks/types.js';
import { checkRemote } from '../../../domain/remotes.js';
import type { Repo } from '../../../domain/repos.js';
import type { Landing } from '../../../domain/merge-queue/types.js';
import { writeAudit, listAudit } from '../../../store/audit.js';
import { execute, transaction } from '../../../store/db.js';
import { getDecision, recordDecision } from '../../../store/decisions.js';
import { activeGates, addGate, clearGates, gateHistory, type ClearGates } from '../../../store/gates.js';
import { claimKey, finishKey, releaseKey } from '../../../store/idempotency.js';
import { findLandingByEntry, insertLanding, lastLanding, listLandings } from '../../../store/landings.js';
import { openOutbox } from '../../../store/outbox.js';
import { insertRepo } from '../../../store/repos.js';
import { createTicket, createToken, findToken, listTokens, revokeToken, takeTicket } from '../../../store/tokens.js';
import { getVerdict, recordVerdict } from '../../../store/verdicts.js';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.js';
import { sampleRepo } from '../../support/samples.js';

function canonicalKey(remote: string): string {
  const checked = checkRemote(remote);
  if (!checked.ok) throw new Error(checked.reason);
  return checked.address.key;
}

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  await insertRepo(db.pool, sampleRepo());
});
afterAll(() => db.drop());
const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
const soon = (): string => new Date(Date.now() + 60_000).toISOString();

test('one remote and base have one queue, however they are spelled: a second name for them is refused, another base is not', async () => {
  const key = canonicalKey('ssh://git@Forge.test:22/team/app.git');
  const add = (id: string, remote: string, over: Partial<Repo> = {}): Promise<unknown> =>
    insertRepo(db.pool, sampleRepo({ id, remote, remoteKey: canonicalKey(remote), ...over }));
  await add('one', 'ssh://git@forge.test/team/app.git', { prefix: 'ON' });
  for (const remote of ['ssh://git@forge.test:22/team/app', 'git@forge.test:team/app.git']) {
    expect(canonicalKey(remote)).toBe(key);
    await expect(add('two', remote, { prefix: 'TW' })).rejects.toMatchObject({
      code: 'conflict',
      data: { repo: 'one' },
    });
  }
  await add('release', 'git@forge.test:team/app.git', { base: 'release', prefix: 'RE' });
  await expect(add('next', 'git@forge.test:team/app.git', { base: 'next', prefix: 'RE' })).rejects.toThrow('prefix');
  await add('other', 'git@forge.test:team/other.git');
});

test('of many requests with one key one does the work; repeats get its answer, others are refused', async () => {
  const claims = await Promise.all(Array.from({ length: 20 }, () => claimKey(db.pool, 'k', 't', hash('a'))));
  expect(claims.filter((c) => c.kind === 'claimed')).toHaveLength(1);
  expect(claims.filter((c) => c.kind === 'pending')).toHaveLength(19);
  await finishKey(db.pool, 'k', 't', 201, { id: 1 });
  expect(await claimKey(db.pool, 'k', 't', hash('a'))).toEqual({ kind: 'answered', status: 201, response: { id: 1 } });
  expect(await claimKey(db.pool, 'k', 't', hash('b'))).toEqual({ kind: 'mismatch' });
  expect(await claimKey(db.pool, 'k', 'other', hash('b'))).toEqual({ kind: 'claimed' });
  await releaseKey(db.pool, 'k', 'other');
  expect(await claimKey(db.pool, 'k', 'other', hash('c'))).toEqual({ kind: 'claimed' });
  await execute(db.pool, `UPDATE idempotency_keys SET created_at = now() - interval '2 min'`);
  expect(await claimKey(db.pool, 'k', 'other', hash('c'))).toEqual({ kind: 'claimed' });
});

test('tokens are found by hash while valid; tickets work once', async () => {
  const make = (name: string, expiresAt: string | null = null): ReturnType<typeof createToken> =>
    createToken(db.pool, { name, hash: hash(name), scopes: ['admin'], repos: ['web'], expiresAt });
  const token = await make('one');
  await make('old', new Date(Date.now() - 1000).toISOString());
  expect(await findToken(db.pool, hash('one'))).toMatchObject({ id: token.id, scopes: ['admin'], repos: ['web'] });
  expect(await findToken(db.pool, hash('old'))).toBeNull();
  expect(await findToken(db.pool, hash('two'))).toBeNull();
  await createTicket(db.pool, hash('t1'), token.id, soon());
  const taken = await Promise.all([1, 2, 3].map(() => takeTicket(db.pool, hash('t1'))));
  expect(taken.filter((t) => t !== null)).toMatchObject([{ id: token.id }]);
  await createTicket(db.pool, hash('t2'), token.id, soon());
  expect((await revokeToken(db.pool, token.id))?.revokedAt).not.toBeNull();
  expect(await findToken(db.pool, hash('one'))).toBeNull();
  expect(await takeTicket(db.pool, hash('t2'))).toBeNull();
  expect(await revokeToken(db.pool, 'nobody')).toBeNull();
  expect((await listTokens(db.pool)).map((t) => t.name)).toEqual(['one', 'old']);
});

test('a gate stands until it is cleared, is kept as history, and wakes the queues', async () => {
  const base = { repo: 'web', scope: 'all', reason: 'r', by: 'me' } as const;
  await transaction(db.pool, (tx) => addGate(tx, { ...base, kind: 'freeze', base: null }));
  await transaction(db.pool, (tx) => addGate(tx, { ...base, kind: 'pause', base: 'release' }));
  expect((await activeGates(db.pool, 'web', 'main')).map((g) => g.kind)).toEqual(['freeze']);
  expect(await activeGates(db.pool, 'web')).toHaveLength(2);
  const all = { id: null, base: null, scope: null, acceptTip: null };
  const clear: ClearGates = { ...all, repo: 'web', kinds: ['freeze'], by: 'you' };
  expect(await transaction(db.pool, (tx) => clearGates(tx, { ...clear, scope: 'landing' }))).toHaveLength(0);
  expect(await transaction(db.pool, (tx) => clearGates(tx, clear))).toHaveLength(1);
  expect(await transaction(db.pool, (tx) => clearGates(tx, clear))).toHaveLength(0);
  expect((await activeGates(db.pool, 'web')).map((g) => g.kind)).toEqual(['pause']);
  expect((await gateHistory(db.pool, 'web')).map((g) => [g.kind, g.clearedBy])).toEqual([
    ['pause', null],
    ['freeze', 'you'],
  ]);
  // Two were set, and each word of an end is told, whether a gate stood or not: a block is tried again then.
  expect(await openOutbox(db.pool)).toHaveLength(5);
});

test('the first decision stays; a red or green verdict too; a fault makes room', async () => {
  const key = { repo: 'web', workItem: 'ET-001', generation: 1 };
  const at = new Date().toISOString();
  const decision = { stage: 'approval', sha: 's', by: 'me', at, reason: null };
  expect((await recordDecision(db.pool, key, { ...decision, verdict: 'approved' }, 7)).created).toBe(true);
  const second = await recordDecision(db.pool, key, { ...decision, verdict: 'rejected' }, null);
  expect(second).toEqual({ created: false, decision: { ...decision, verdict: 'approved' } });
  expect(await getDecision(db.pool, { ...key, generation: 2, stage: 'approval', sha: 's' })).toBeNull();

  const verdict: Verdict = {
    ...{ key: 'web/t/c', repo: 'web', tree: 't', configHash: 'c', verdict: 'fault', failed: null, flaky: false },
    ...{ reason: 'host lost', at },
  };
  await recordVerdict(db.pool, verdict, []);
  expect((await recordVerdict(db.pool, { ...verdict, verdict: 'green', reason: null }, [])).verdict).toBe('green');
  expect((await recordVerdict(db.pool, { ...verdict, verdict: 'red' }, [])).verdict).toBe('green');
  expect((await getVerdict(db.pool, 'web/t/c'))?.reason).toBeNull();
});

test('a red verdict is stored whatever bytes its check printed', async () => {
  const failed = { name: 'unit\0', command: ['true'], exitCode: 1, tail: 'a\0b\ud800c \\u0000 \u{1f600}' };
  const run: CheckRunResult = { kind: 'red', seconds: 1, failed };
  const verdict: Verdict = {
    ...{ key: 'web/t/nul', repo: 'web', tree: 't', configHash: 'nul', verdict: 'red', failed, flaky: false },
    ...{ reason: 'unit\0 is red', at: '2026-01-01T00:00:00.000Z' },
  };
  expect(await recordVerdict(db.pool, verdict, [run])).toMatchObject({
    failed: { name: 'unit\ufffd', tail: 'a\ufffdb\ufffdc \\u0000 \u{1f600}' },
    reason: 'unit\ufffd is red',
  });
});

test('a landing is stored once; another one of the same task and generation is refused', async () => {
  const landing = (entry: string, task: string): Landing => ({
    ...{ entry, task, generation: 1, plan: 'p', head: 'h', commit: `c-${entry}`, tree: 't', base: 'b' },
    ...{ verdict: 'green', at: '2026-01-01T00:00:00.000Z' },
  });
  const store = (l: Landing, workItem: string): Promise<void> =>
    insertLanding(db.pool, { repo: 'web', base: 'main', workItem }, l);
  await Promise.all([1, 2, 3].map(() => store(landing('e1', 'web/ET-001'), 'ET-001')));
  await store(landing('e2', 'web/ET-002'), 'ET-002');
  await expect(store(landing('e3', 'web/ET-001'), 'ET-001')).rejects.toMatchObject({ code: 'internal' });
  expect(await findLandingByEntry(db.pool, 'e1')).toEqual({ ...landing('e1', 'web/ET-001'), checkoutBehind: null });
  expect((await listLandings(db.pool, 'web', 'main')).map((l) => l.entry)).toEqual(['e2', 'e1']);
  expect((await lastLanding(db.pool, 'web', 'main'))?.entry).toBe('e2');
  expect(await lastLanding(db.pool, 'web', 'other')).toBeNull();
});

test('audit rows are listed newest first', async () => {
  for (const action of ['a', 'b']) {
    await writeAudit(db.pool, { actor: 'me', action, subject: 'web', result: 'accepted', detail: {} });
  }
  expect((await listAudit(db.pool, { subject: 'web' })).map((r) => r.action)).toEqual(['b', 'a']);
});
