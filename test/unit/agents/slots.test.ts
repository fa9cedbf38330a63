import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assignSlots } from '../../../domain/agents/slots.js';

const ids = ['a', 'b', 'c'];
const line = fc
  .array(fc.option(fc.constantFrom(...ids, 'dead'), { nil: null }), { maxLength: 12 })
  .map((prefers) => prefers.map((preferHost, i) => ({ runId: `r${i}`, preferHost })));
const hosts = fc
  .array(fc.record({ slots: fc.nat(4), running: fc.nat(5) }), { maxLength: 3 })
  .map((list) => list.map((h, i) => ({ id: ids[i] ?? '', ...h })));

test('no host gets more than its room, and nobody is overtaken but by who needs another host', () => {
  fc.assert(
    fc.property(line, hosts, (jobs, rooms) => {
      const grants = new Map(assignSlots(jobs, rooms).map((g) => [g.runId, g.host]));
      const given = (id: string): number => [...grants.values()].filter((h) => h === id).length;
      for (const h of rooms) expect(given(h.id)).toBeLessThanOrEqual(Math.max(0, h.slots - h.running));
      jobs.forEach((job, i) => {
        if (grants.has(job.runId)) return;
        const live = rooms.some((h) => h.id === job.preferHost);
        const after = jobs.slice(i + 1).flatMap((j) => grants.get(j.runId) ?? []);
        expect(live ? after.includes(job.preferHost ?? '') : after.length > 0).toBe(false);
      });
      const waiting = jobs.filter((j) => !grants.has(j.runId));
      const free = rooms.filter((h) => h.slots - h.running - given(h.id) > 0).map((h) => h.id);
      // Nobody waits while a slot he could use is free.
      for (const job of waiting) {
        const live = rooms.some((h) => h.id === job.preferHost);
        expect(live ? free.includes(job.preferHost ?? '') : free.length > 0).toBe(false);
      }
    }),
  );
});
