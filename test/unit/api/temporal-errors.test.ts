import { ServiceError, WorkflowNotFoundError, WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { expect, it } from 'vitest';
import { fromTemporal } from '../../../api/temporal-errors.js';

/** As grpc-js throws it. */
const grpc = (code: number): Error => Object.assign(new Error('no'), { code, details: 'no', metadata: {} });

it.each([
  ['a server that is away', grpc(14), 'unavailable'],
  [
    'the same, as the client wraps it',
    new ServiceError('Failed to signal Workflow', { cause: grpc(14) }),
    'unavailable',
  ],
  ['a deadline that passed', new ServiceError('Failed to signal Workflow', { cause: grpc(4) }), 'unavailable'],
  ['a workflow that is gone', new WorkflowNotFoundError('gone', 'merge-queue/web/main', undefined), 'conflict'],
  ['an update that nobody took', new WorkflowUpdateRPCTimeoutOrCancelledError('late'), 'no-worker'],
])('%s has a code of its own', (_, err, code) => {
  expect(fromTemporal(err, 'the merge queue of main in web')).toMatchObject({ code });
});

it('leaves alone what is no outage', () => {
  const bug = new ServiceError('Unexpected error', { cause: new TypeError('x is not a function') });
  expect(fromTemporal(bug, 'the workflow')).toBe(bug);
});
