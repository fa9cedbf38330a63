import assert from 'node:assert/strict';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deadline } from '../../../domain/pipeline/reduce.js';
import { picture } from '../../../domain/pipeline/waiting.js';
import { choices } from '../../support/choices.js';
import { modelContext, TaskModel } from '../../support/task-model.js';

const STEPS = 200;

test('whatever the bus does: one run at a time, budgets kept, every wait owned, the end final', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(99_991), { minLength: 50, maxLength: 900 }), fc.boolean(), (numbers, checksExist) => {
      const model = new TaskModel(modelContext({ checksExist }), choices(numbers));
      for (let i = 0; i < STEPS; i += 1) stepAndCheck(model);
      // From here on the world is friendly: every task comes to its end, and gives back what it took.
      model.friendly = true;
      for (let i = 0; i < 2000 && !(model.state.phase.kind === 'ended' && model.bus.length === 0); i += 1) {
        stepAndCheck(model);
      }
      assert.equal(model.state.phase.kind, 'ended', JSON.stringify(model.state.phase));
      assert.deepEqual([...model.slots], [], 'slots that nobody gave back');
    }),
    { numRuns: 400 },
  );
});

function stepAndCheck(model: TaskModel): void {
  const before = model.state;
  model.step();
  const { state, ctx } = model;
  assert(model.mostRuns <= 1, 'two runs at once');
  assert(model.landings <= 1, 'landed twice');
  for (const name of ['faults', 'transient', 'followUps', 'humanWaits'] as const) {
    assert(state.counters[name] >= before.counters[name], `${name} fell`);
  }
  assert(state.humanSeconds >= before.humanSeconds);
  assert(state.visit.faults < 2 || ['answer', 'ended'].includes(state.phase.kind), 'a fault beyond the budget');
  if (before.phase.kind === 'ended') assert.equal(state, before, 'the end is final');
  if (state === before) return;
  const now = picture(ctx, state);
  if (state.phase.kind === 'ended') {
    assert.equal(now.waitingOn, null);
  } else {
    assert(now.waitingOn !== null && now.waitingOn.unblockedBy.length > 0 && now.waitingOn.detail !== '');
    assert(['queued', 'running', 'waiting'].includes(now.state));
  }
  if (['backoff', 'base-red'].includes(state.phase.kind)) assert(deadline(state) !== null, 'a wait without a clock');
  approvalHolds(model);
}

/** Past the approval only with a decision for that sha, or for the same document. */
function approvalHolds({ state, approvedBlobs, ctx }: TaskModel): void {
  if (state.stage <= ctx.input.pipeline.stages.findIndex((s) => s.kind === 'approval')) return;
  const approved = state.approved['approval'];
  assert(approved !== undefined, 'past an approval that nobody gave');
  const sameSha = approvedBlobs.has(approved.sha);
  const sameBlob = approved.blob !== null && [...approvedBlobs.values()].includes(approved.blob);
  assert(sameSha || sameBlob, 'an approval for another sha');
}

test('waits, restarts and transient failures spend no fault', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(99_991), { minLength: 300, maxLength: 300 }), (numbers) => {
      const model = new TaskModel(modelContext(), choices(numbers));
      let faults = 0;
      model.onFeed = (event) => {
        const { phase } = model.state;
        if (event.type !== 'runFinished' || phase.kind !== 'agent' || phase.runId !== event.runId) return;
        const { kind } = event.report.outcome;
        const stage = ctxStage(model);
        // A verdict `fail` of a stage that may send nobody back is a fault as well.
        if (kind === 'fault' || (kind === 'failed' && stage?.kind === 'agent' && stage.onFail === null)) faults += 1;
      };
      for (let i = 0; i < 150; i += 1) model.step();
      expect(model.state.counters.faults).toBe(faults);
    }),
    { numRuns: 200 },
  );
});

const ctxStage = (model: TaskModel) => model.ctx.input.pipeline.stages[model.state.stage];

test('state survives being written down: it is JSON', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(99_991), { minLength: 200, maxLength: 200 }), (numbers) => {
      const model = new TaskModel(modelContext(), choices(numbers));
      for (let i = 0; i < 60; i += 1) model.step();
      expect(JSON.parse(JSON.stringify(model.state))).toEqual(model.state);
    }),
    { numRuns: 50 },
  );
});
