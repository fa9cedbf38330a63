import { expect, test } from 'vitest';
import { DEFAULT_PIPELINE } from '../../../domain/pipeline/default.js';
import { checkPipeline, parsePipeline, type KnownNames } from '../../../domain/pipeline/validate.js';

const ANY: KnownNames = { profiles: null, checks: null };
const dev = { name: 'dev', kind: 'agent', agent: 'developer' };
const merge = { name: 'merge', kind: 'merge' };

const fields = (stages: unknown, known: KnownNames = ANY): [string, string[]] => {
  const result = checkPipeline({ stages }, known);
  return result.ok ? ['ok', []] : [result.code, result.faults.map((f) => f.field.replace('pipeline.', ''))];
};

test('the built-in pipeline and the shortest one are valid; what was left out gets its default', () => {
  expect(checkPipeline(DEFAULT_PIPELINE, { profiles: ['default'], checks: [] })).toEqual({
    ok: true,
    pipeline: DEFAULT_PIPELINE,
  });
  expect(checkPipeline({ stages: [dev, merge] }, ANY)).toEqual({
    ok: true,
    pipeline: {
      stages: [
        { ...dev, prompt: null, artifact: null, commits: 'optional', maxAttempts: null, onFail: null },
        { ...merge, onConflict: null, onRed: null },
      ],
    },
  });
});

test.each<[string, unknown, [string, string[]]]>([
  ['not a list', {}, ['invalid-request', ['stages']]],
  ['no stage', [], ['invalid-pipeline', ['stages']]],
  ['too many stages', Array.from({ length: 51 }, () => dev), ['invalid-pipeline', ['stages']]],
  ['a stage that is no object', ['dev'], ['invalid-request', ['stages[0]']]],
  ['no kind', [{ name: 'a' }], ['invalid-request', ['stages[0].kind']]],
  ['an unknown kind', [{ ...dev, kind: 'cook' }], ['invalid-pipeline', ['stages[0].kind']]],
  ['a kind of the object itself', [{ ...dev, kind: 'constructor' }], ['invalid-pipeline', ['stages[0].kind']]],
  ['a later kind', [dev, { name: 's', kind: 'deploy', environment: 'x' }], ['not-available', ['stages[1].kind']]],
  ['an unknown field', [{ ...dev, colour: 'red' }], ['invalid-request', ['stages[0].colour']]],
  [
    'an unknown field of an edge',
    [dev, { ...merge, onRed: { goto: 'dev', max: 1, x: 1 } }],
    ['invalid-request', ['stages[1].onRed.x']],
  ],
  ['a missing field', [{ name: 'dev', kind: 'agent' }], ['invalid-request', ['stages[0].agent']]],
  ['a wrong type', [{ ...dev, prompt: 7 }], ['invalid-request', ['stages[0].prompt']]],
  ['a value that is not allowed', [{ ...dev, commits: 'never' }], ['invalid-pipeline', ['stages[0].commits']]],
  ['a huge number', [{ ...dev, maxAttempts: 1e300 }], ['invalid-pipeline', ['stages[0].maxAttempts']]],
  ['no attempts', [{ ...dev, maxAttempts: 0 }], ['invalid-pipeline', ['stages[0].maxAttempts']]],
  ['a name that is no path segment', [{ ...dev, name: '../x' }], ['invalid-pipeline', ['stages[0].name']]],
  ['a document outside', [{ ...dev, artifact: '../x.md' }], ['invalid-pipeline', ['stages[0].artifact']]],
  ['a document in .git', [{ ...dev, artifact: '.GIT/x' }], ['invalid-pipeline', ['stages[0].artifact']]],
  ['a duplicate name', [dev, dev], ['invalid-pipeline', ['stages[1].name']]],
  ['a name that is taken', [{ ...dev, name: 'done' }], ['invalid-pipeline', ['stages[0].name']]],
  [
    'goto forward',
    [{ ...dev, onFail: { goto: 'merge', max: 1 } }, merge],
    ['invalid-pipeline', ['stages[0].onFail.goto']],
  ],
  ['goto itself', [{ ...dev, onFail: { goto: 'dev', max: 1 } }], ['invalid-pipeline', ['stages[0].onFail.goto']]],
  [
    'goto nowhere',
    [dev, { ...merge, onConflict: { goto: 'x', max: 1 } }],
    ['invalid-pipeline', ['stages[1].onConflict.goto']],
  ],
  ['approval of nothing', [dev, { name: 'ok', kind: 'approval', of: 'x' }], ['invalid-pipeline', ['stages[1].of']]],
  [
    'approval of a later stage',
    [{ name: 'ok', kind: 'approval', of: 'dev' }, dev],
    ['invalid-pipeline', ['stages[0].of']],
  ],
  [
    'approval of a check',
    [dev, { name: 't', kind: 'check' }, { name: 'ok', kind: 'approval', of: 't' }],
    ['invalid-pipeline', ['stages[2].of']],
  ],
  [
    'approval features that are not there yet',
    [dev, { name: 'ok', kind: 'approval', of: 'dev', approvers: ['ann'], remindAfter: ['4h'], expireAfter: null }],
    ['not-available', ['stages[1].approvers', 'stages[1].remindAfter']],
  ],
  ['a second merge', [dev, merge, { name: 'merge2', kind: 'merge' }], ['invalid-pipeline', ['stages[2].kind']]],
  ['commits after the merge', [dev, merge, { ...dev, name: 'late' }], ['invalid-pipeline', ['stages[2].commits']]],
  [
    'back over the merge',
    [dev, merge, { ...dev, name: 'look', commits: 'forbidden', onFail: { goto: 'dev', max: 1 } }],
    ['invalid-pipeline', ['stages[2].onFail.goto']],
  ],
])('refuses %s', (_, stages, expected) => {
  expect(fields(stages)).toEqual(expected);
});

test('unknown profiles and checks, all faults at once, the gravest code', () => {
  const known = { profiles: ['developer'], checks: ['unit'] };
  const stages = [
    dev,
    { ...dev, name: 'b', agent: 'cook' },
    { name: 't', kind: 'check', checks: ['unit', 'ci'] },
    merge,
  ];
  expect(fields(stages, known)).toEqual(['invalid-pipeline', ['stages[1].agent', 'stages[2].checks[1]']]);
  expect(fields(stages, { profiles: ['default'], checks: ['unit', 'ci'] })[0]).toBe('ok');
  expect(fields([{ ...dev, x: 1 }, dev, { name: 's', kind: 'watch' }])).toEqual([
    'invalid-request',
    ['stages[0].x', 'stages[2].kind'],
  ]);
});

test('YAML and JSON text: keys twice, aliases, reserved keys and garbage are refused', () => {
  const yaml = 'stages:\n  - {name: dev, kind: agent, agent: developer}\n  - {name: merge, kind: merge}\n';
  expect(parsePipeline(yaml, ANY).ok).toBe(true);
  expect(parsePipeline(JSON.stringify({ stages: [dev, merge] }), ANY).ok).toBe(true);
  for (const bad of [
    'stages: [',
    '{"stages":[],"stages":[]}',
    'stages:\n  - &a {name: dev, kind: agent, agent: d}\n  - *a\n',
    '{"stages":[{"name":"dev","kind":"agent","agent":"d","__proto__":{"x":1}}]}',
    '{"__proto__":{"stages":[]}}',
    'a: !!js/function x',
    '- 1',
    '',
    'x'.repeat(70_000),
  ]) {
    const result = parsePipeline(bad, ANY);
    expect(result.ok ? 'ok' : result.code, bad.slice(0, 40)).toBe('invalid-request');
  }
});
