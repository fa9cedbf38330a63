import fc from 'fast-check';
import { assert, expect, test } from 'vitest';
import {
  FAILURE_POLICIES,
  judgeDependencies,
  type Dependency,
  type DependencyNow,
  type DependencyPoint,
} from '../../../domain/pipeline/dependencies.js';
import { permit } from '../../../domain/pipeline/permit.js';
import { picture, waiting } from '../../../domain/pipeline/waiting.js';
import { choices } from '../../support/choices.js';
import { modelContext, oid, TaskModel } from '../../support/task-model.js';

const edge = (more: Partial<DependencyNow> = {}): DependencyNow => ({
  ...{ repo: 'web', workItem: 'ET-003', onFailure: 'wait', stack: false },
  ...{ state: 'running', stage: 'development', ready: null },
  ...more,
});

test('an edge holds until its task is done, or ended in a way that its policy passes', () => {
  expect(judgeDependencies([edge()], 'start')).toMatchObject({ kind: 'wait' });
  expect(judgeDependencies([edge({ ready: oid(1) })], 'start')).toMatchObject({ kind: 'wait' });
  expect(judgeDependencies([edge({ state: 'done' })], 'start')).toEqual({ kind: 'go', stackBase: null });
  for (const state of ['cancelled', 'failed'] as const) {
    expect(judgeDependencies([edge({ state })], 'start')).toMatchObject({ kind: 'wait' });
    expect(judgeDependencies([edge({ state, onFailure: 'continue' })], 'start').kind).toBe('go');
    expect(judgeDependencies([edge(), edge({ state, onFailure: 'cancel' })], 'start').kind).toBe('cancel');
  }
});

test('a stacked task begins with the work that is in the queue, and lands after it', () => {
  const queued = edge({ stack: true, ready: oid(1) });
  expect(judgeDependencies([edge({ stack: true })], 'start').kind).toBe('wait');
  expect(judgeDependencies([queued], 'start')).toEqual({ kind: 'go', stackBase: oid(1) });
  expect(judgeDependencies([queued], 'merge').kind).toBe('wait');
  expect(judgeDependencies([edge({ stack: true, state: 'done' })], 'merge').kind).toBe('go');
  // It began on base, since that had landed.
  expect(judgeDependencies([edge({ stack: true, state: 'done' })], 'start')).toEqual({ kind: 'go', stackBase: null });
  // Only what it is stacked on is waited for a second time.
  expect(judgeDependencies([edge(), edge({ stack: true, state: 'done' })], 'merge').kind).toBe('go');
});

const dependency = fc.record({
  ...{ repo: fc.constant('web'), workItem: fc.constantFrom('ET-003', 'ET-004', 'ET-005') },
  ...{ onFailure: fc.constantFrom(...FAILURE_POLICIES), stack: fc.constant(false) },
});
const dependencies = fc
  .tuple(fc.uniqueArray(dependency, { selector: (d) => d.workItem, minLength: 1 }), fc.boolean())
  .map(([all, stacked]): Dependency[] => all.map((d, i) => ({ ...d, stack: stacked && i === 0 })));

test('whatever the bus does, nothing begins or lands before what comes first, and every task ends', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(99_991), { minLength: 50, maxLength: 500 }), dependencies, (numbers, dependsOn) => {
      const model = new TaskModel(modelContext({ dependsOn }), choices(numbers));
      model.onCommand = (command) => {
        // Judged by what was answered last, as the task was: the others may have moved on.
        const went = (at: DependencyPoint): boolean => judgeDependencies(model.answered, at).kind === 'go';
        if (command.type === 'requestRun' && !model.state.begun) assert(went('start'));
        if (command.type === 'enqueue' && model.state.stackBase != null) {
          assert(went('merge'));
          assert.equal(command.request.stackBase, model.state.stackBase);
        }
      };
      for (let i = 0; i < 150; i += 1) stepAndCheck(model);
      model.friendly = true;
      for (let i = 0; i < 2000 && model.state.phase.kind !== 'ended'; i += 1) stepAndCheck(model);
      assert.equal(model.state.phase.kind, 'ended', JSON.stringify(model.state.phase));
    }),
    { numRuns: 200 },
  );
});

function stepAndCheck(model: TaskModel): void {
  model.step();
  const { state, ctx } = model;
  if (state.phase.kind !== 'dependency') return;
  const now = picture(ctx, state);
  assert.equal(now.waitingOn?.kind, 'dependency');
  assert.equal(now.state, state.phase.at === 'start' ? 'queued' : 'waiting');
  if (state.phase.at === 'start') {
    assert.equal(now.stage, 'created');
    assert.equal(permit(ctx, state, { kind: 'redo', stage: 'analysis' }, null, null, model.now).kind, 'no');
  }
}

test('a look at the rows that failed is made again when a person says so, and nothing is skipped', () => {
  const dependsOn: Dependency[] = [{ repo: 'web', workItem: 'ET-003', onFailure: 'wait', stack: false }];
  const model = new TaskModel(modelContext({ dependsOn }), () => 0);
  model.feed({ type: 'commandFailed', id: '1', what: 'askDependencies', message: 'no such column' });
  expect(model.state.phase).toMatchObject({ kind: 'answer', code: 'invalid' });
  model.feed({ type: 'retried', intent: null });
  expect(model.state.phase).toMatchObject({ kind: 'dependency', at: 'start' });
});

test('the wait names what comes first, its stage, and what a person can type', () => {
  const dependsOn: Dependency[] = [{ repo: 'web', workItem: 'ET-003', onFailure: 'wait', stack: false }];
  const model = new TaskModel(modelContext({ dependsOn }), () => 0);
  model.feed({ type: 'dependenciesAnswered', ask: 1, found: [edge({ state: 'cancelled', stage: 'review' })] });
  expect(waiting(model.ctx, model.state)).toMatchObject({
    kind: 'dependency',
    detail: 'web/ET-003 (cancelled, waited for until it is retried and done) comes first',
    unblockedBy: ['web/ET-003', 'signalbox task retry web/ET-003', 'signalbox task cancel web/ET-001'],
    links: { dependency: 'web/ET-003' },
  });
  model.feed({ type: 'cancelled', reason: 'enough', by: 'ann', intent: null });
  expect(model.state.phase).toMatchObject({ kind: 'ended', state: 'cancelled' });
});
