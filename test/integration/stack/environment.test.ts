/** Bad settings. */
import { execa } from 'execa';
import { test, expect } from 'vitest';
import { entrypoint } from '../../../activities/entrypoint.js';

test('a bad setting is refused at start, by name and with what is allowed', async () => {
  const args = [entrypoint('cli/main'), 'up', '--json', '--data-dir', '/nonexistent'];
  const up = await execa(process.execPath, args, { env: { SIGNALBOX_AGENT_STALE: 'soon' }, reject: false });
  expect(up.exitCode).toBe(1);
  expect(up.stderr).toContain('SIGNALBOX_AGENT_STALE');
  expect(up.stderr).toContain('100ms');
});
