import { expect, test } from 'vitest';
import { approvalFault, approvalsNeeded } from '../../../domain/pipeline/approvals.js';
import { DEFAULT_PIPELINE } from '../../../domain/pipeline/default.js';

const needed = approvalsNeeded(DEFAULT_PIPELINE, 'ET-007');

test('the approvals before the merge stage are needed, each for the document of its stage', () => {
  expect(needed).toEqual([{ stage: 'approval', path: 'docs/brd/ET-007.md' }]);
  const [analysis, approval] = DEFAULT_PIPELINE.stages;
  if (analysis?.kind !== 'agent' || approval === undefined) throw new Error('the default pipeline is another one');
  const merge = { name: 'merge', kind: 'merge', onConflict: null, onRed: null } as const;
  expect(approvalsNeeded({ stages: [analysis, merge, approval] }, 'ET-007')).toEqual([]);
  expect(approvalsNeeded({ stages: [{ ...analysis, artifact: null }, approval, merge] }, 'ET-007')).toEqual([
    { stage: 'approval', path: null },
  ]);
});

test('an approval holds for the document that was seen, whatever came later', () => {
  const path = 'docs/brd/ET-007.md';
  const approved = { stage: 'approval', verdict: 'approved', blob: 'seen' } as const;
  expect(approvalFault(needed, [approved], { [path]: 'seen' })).toBeNull();
  expect(approvalFault(needed, [approved], { [path]: 'changed' })).toMatchObject({ kind: 'other-document' });
  expect(approvalFault(needed, [approved], { [path]: null })).toMatchObject({ kind: 'other-document' });
  expect(approvalFault(needed, [{ ...approved, verdict: 'rejected' }], { [path]: 'seen' })?.kind).toBe('missing');
  expect(approvalFault(needed, [{ ...approved, stage: 'other' }], { [path]: 'seen' })?.kind).toBe('missing');
  // Of a row that is older than the column nothing is known, and of a stage without a document there is nothing.
  expect(approvalFault(needed, [{ ...approved, blob: null }], { [path]: 'changed' })).toBeNull();
  expect(approvalFault([{ stage: 'approval', path: null }], [approved], {})).toBeNull();
});
