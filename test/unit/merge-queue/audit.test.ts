import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auditLandings } from '../../../domain/merge-queue/audit.js';
import type { AuditFacts, AuditReport } from '../../../domain/merge-queue/audit-types.js';
import { identSeconds } from '../../../domain/merge-queue/commit.js';
import { AuditWorld, oid, type Made } from './audit-world.js';

const codes = (report: AuditReport): string[] => report.offences.map((offence) => `${offence.code} ${offence.commit}`);
const notes = (report: AuditReport): string[] => report.notes.map((note) => `${note.code} ${note.commit}`);

interface Scene {
  world: AuditWorld;
  first: Made;
  second: Made;
  third: Made;
}

/** A rebase of two commits, a merge and a squash, a person's push between them. */
function scene(): Scene {
  const world = new AuditWorld();
  const first = world.land({ size: 2 });
  const second = world.land({ strategy: 'merge' });
  world.push();
  const third = world.land({ strategy: 'squash' });
  return { world, first, second, third };
}

const damagedRow = ({ world }: Scene, of: Made, change: Partial<Made['row']>): AuditFacts =>
  world.facts({ rows: world.made.map(({ row }) => (row === of.row ? { ...row, ...change } : row)) });

describe('the audit', () => {
  it('proves all three strategies, and lists what people pushed', () => {
    const { world } = scene();
    const report = auditLandings(world.facts());
    expect(report).toMatchObject({ ok: true, landings: 3, proven: 3, offences: [], notes: [] });
    expect(report.foreign).toEqual([
      { commit: world.commits[3]?.oid, author: 'Dev <dev@example.org>', subject: 'A person was here' },
    ]);
  });

  it('holds a person’s push against base only when it is strict', () => {
    const { world } = scene();
    const report = auditLandings(world.facts({ strict: true }));
    expect(codes(report)).toEqual([`foreign ${world.commits[3]?.oid}`]);
    expect(report).toMatchObject({ ok: false, proven: 3 });
  });

  type Damage = [what: string, code: string, damage: (scene: Scene) => { facts: AuditFacts; commit: string }];
  const damages: Damage[] = [
    [
      'a landing whose tree has no green verdict',
      'unproven-tree',
      ({ world, second }) => ({
        facts: world.facts({ greenTrees: world.facts().greenTrees.filter((tree) => tree !== second.row.tree) }),
        commit: second.commit.oid,
      }),
    ],
    [
      'a landing that is recorded on a red',
      'unproven-tree',
      (s) => ({ facts: damagedRow(s, s.second, { verdict: 'red' }), commit: s.second.commit.oid }),
    ],
    [
      'a landing without a record',
      'unrecorded-landing',
      ({ world, third }) => ({
        facts: world.facts({ rows: world.facts().rows.filter((row) => row !== third.row) }),
        commit: third.commit.oid,
      }),
    ],
    ...(['tree', 'plan', 'base', 'head', 'commit', 'entry'] as const).map((field): Damage => [
      `a record with another ${field}`,
      'row-differs',
      (s) => ({ facts: damagedRow(s, s.first, { [field]: oid('x') }), commit: s.first.commit.oid }),
    ]),
    [
      'a record with another generation',
      'row-differs',
      (s) => ({ facts: damagedRow(s, s.first, { generation: 2 }), commit: s.first.commit.oid }),
    ],
    [
      'a record of another landing with this commit',
      'row-differs',
      ({ world, first }) => {
        const row = { ...first.row, entry: 'f'.repeat(32), task: 'web/ET-900' };
        return { facts: world.facts({ rows: [...world.facts().rows, row] }), commit: first.commit.oid };
      },
    ],
    [
      'a record of a landing with a person’s commit',
      'row-differs',
      ({ world, first }) => {
        const commit = world.commits[3]?.oid ?? '';
        const row = { ...first.row, entry: 'f'.repeat(32), task: 'web/ET-900', commit };
        return { facts: world.facts({ rows: [...world.facts().rows, row] }), commit };
      },
    ],
    [
      'one task in one generation twice',
      'entry-twice',
      ({ world, first }) => {
        const item = Number(first.row.task.slice('web/ET-'.length));
        const again = world.land({ item, try: 2 });
        return { facts: world.facts({ rows: world.facts().rows.slice(0, -1) }), commit: again.commit.oid };
      },
    ],
    [
      'trailers that were copied',
      'forged-trailer',
      ({ world, first }) => {
        const forged = world.push(first.commit.message);
        return { facts: world.facts(), commit: forged.oid };
      },
    ],
    [
      'a landing of another repository',
      'forged-trailer',
      ({ world, third }) => {
        const facts = world.facts();
        const message = third.commit.message.replaceAll('web/', 'api/');
        return {
          facts: world.facts({
            rows: facts.rows.filter((row) => row !== third.row),
            history: { commits: facts.history.commits.map((c) => (c === third.commit ? { ...c, message } : c)) },
          }),
          commit: third.commit.oid,
        };
      },
    ],
    [
      'a landing that is another when it is made again',
      'forged-trailer',
      ({ world, second }) => ({
        facts: world.facts({
          rows: world.facts().rows.filter((row) => row !== second.row),
          history: { again: { ...world.again, [second.commit.oid]: { kind: 'differs', how: 'x' } } },
        }),
        commit: second.commit.oid,
      }),
    ],
    [
      'a recorded landing that base has not',
      'rewound-landing',
      ({ world, third }) => {
        const commits = world.commits.filter((commit) => commit !== third.commit);
        const to = commits.at(-1)?.oid ?? '';
        return {
          facts: world.facts({ history: { commits, to, tip: third.commit.oid, absent: [third.commit.oid] } }),
          commit: third.commit.oid,
        };
      },
    ],
    [
      'a landing that only the tip ref remembers',
      'rewound-landing',
      ({ world, third }) => {
        const commits = world.commits.filter((commit) => commit !== third.commit);
        const history = { commits, to: commits.at(-1)?.oid ?? '', tip: third.commit.oid, lost: [third.commit] };
        return {
          facts: world.facts({ history, rows: world.facts().rows.filter((row) => row !== third.row) }),
          commit: third.commit.oid,
        };
      },
    ],
    [
      'an adoption that base has not',
      'rewound-landing',
      ({ world }) => ({ facts: world.facts({ history: { absent: [world.adopted] } }), commit: world.adopted }),
    ],
    [
      'a tip ref without a landing',
      'tip-broken',
      ({ world, third }) => ({
        facts: world.facts({ history: { tip: oid('old'), notInTip: [third.commit.oid] } }),
        commit: third.commit.oid,
      }),
    ],
    [
      'no tip ref',
      'tip-broken',
      ({ world, third }) => ({ facts: world.facts({ history: { tip: null } }), commit: third.commit.oid }),
    ],
  ];
  it.each(damages)('tells of %s: %s, and of nothing else', (_what, code, damage) => {
    const { facts, commit } = damage(scene());
    const report = auditLandings(facts);
    expect(codes(report)).toEqual([`${code} ${commit}`]);
    expect(report.ok).toBe(false);
    expect(report.notes).toEqual([]);
  });

  it('takes the commits of a rebase for a landing only where we made them for it', () => {
    const { world, first } = scene();
    const [step] = first.segment;
    for (const change of [{ committer: 'Dev <d@e> 1790000000 +0000' }, { parents: [world.adopted, oid('x')] }]) {
      const commits = world.commits.map((commit) => (commit === step ? { ...commit, ...change } : commit));
      const rows = world.facts().rows.filter((row) => row !== first.row);
      const report = auditLandings(world.facts({ rows, history: { commits } }));
      expect(codes(report)).toEqual([`forged-trailer ${first.commit.oid}`]);
      expect(report.foreign.map(({ commit }) => commit)).toContain(step?.oid);
    }
  });

  it('notes a head that is gone, and what is still being recorded', () => {
    const { world, first, third } = scene();
    const again = { ...world.again, [first.commit.oid]: { kind: 'head-gone' as const } };
    const rows = world.facts().rows.filter((row) => row !== third.row);
    const report = auditLandings(world.facts({ rows, openEntries: [third.row.entry], history: { again } }));
    expect(report).toMatchObject({ ok: true, proven: 3 });
    expect(notes(report)).toEqual([`head-gone ${first.commit.oid}`, `being-recorded ${third.commit.oid}`]);
  });

  it('notes what landed before there were checks', () => {
    const world = new AuditWorld();
    const { commit } = world.land({ checked: false });
    expect(notes(auditLandings(world.facts()))).toEqual([`landed-without-checks ${commit.oid}`]);
    expect(auditLandings(world.facts({ hasChecks: false })).notes).toEqual([]);
  });

  it('counts what was recorded from git as proven only with a verdict', () => {
    const { world, second } = scene();
    const rows = world.facts().rows.map((row) => ({ ...row, verdict: 'unknown' as const }));
    const greenTrees = [second.row.tree];
    const report = auditLandings(world.facts({ rows, greenTrees }));
    expect(report).toMatchObject({ ok: true, landings: 3, proven: 1 });
    expect(notes(report)).toEqual(
      world.made.filter((made) => made !== second).map(({ commit }) => `verdict-not-kept ${commit.oid}`),
    );
    expect(auditLandings(world.facts({ rows, greenTrees, hasChecks: false }))).toMatchObject({ proven: 3, notes: [] });
  });

  it('takes a rewind that a person accepted for right, until base loses that as well', () => {
    const { world, second, third } = scene();
    const commits = world.commits.filter((commit) => commit !== third.commit);
    const to = commits.at(-1)?.oid ?? '';
    const lost = third.commit.oid;
    const after = new Date(Date.parse(third.row.at) + 1000).toISOString();
    const history = { commits, to, tip: lost, absent: [lost] };
    const accepted = auditLandings(world.facts({ history, accepted: [{ tip: to, at: after }] }));
    expect(accepted).toMatchObject({ ok: true, landings: 2, proven: 2 });
    expect(notes(accepted)).toEqual([`accepted-rewind ${lost}`]);
    // What landed after it was accepted is lost.
    const before = auditLandings(world.facts({ history, accepted: [{ tip: to, at: second.row.at }] }));
    expect(codes(before)).toEqual([`rewound-landing ${lost}`]);
    const gone = { ...history, absent: [lost, oid('accepted')] };
    const other = auditLandings(world.facts({ history: gone, accepted: [{ tip: oid('accepted'), at: after }] }));
    expect(codes(other)).toEqual([`rewound-landing ${lost}`]);
  });

  it('does not ask of what is older than its begin', () => {
    const { world, first, second } = scene();
    const begin = world.commits[2]?.oid ?? '';
    const seconds = Date.parse(second.row.at) / 1000;
    const history = { from: begin, commits: world.commits.slice(3), recordedSince: seconds, rememberedSince: seconds };
    const rows = world.facts().rows.map((row) => (row === first.row ? { ...row, commit: oid('gone') } : row));
    const report = auditLandings(world.facts({ rows, history: { ...history, absent: [oid('gone')] } }));
    expect(report).toMatchObject({ ok: true, from: begin, landings: 1, proven: 1 });
  });

  it('finds landings that a person’s merge put aside of the line', () => {
    const { world, third } = scene();
    const commits = world.commits.map((commit) => ({ ...commit, onLine: commit !== third.commit }));
    expect(auditLandings(world.facts({ history: { commits } }))).toMatchObject({ ok: true, landings: 3, proven: 3 });
  });
});

const anyStep = fc.oneof(
  { weight: 1, arbitrary: fc.constant(null) },
  {
    weight: 3,
    arbitrary: fc.record({
      strategy: fc.constantFrom('rebase-ff' as const, 'merge' as const, 'squash' as const),
      size: fc.integer({ min: 1, max: 4 }),
      attributes: fc.constantFrom(null, oid('attributes')),
      checked: fc.boolean(),
      generation: fc.integer({ min: 1, max: 3 }),
    }),
  },
);

function play(steps: readonly (Parameters<AuditWorld['land']>[0] | null)[]): AuditWorld {
  const world = new AuditWorld();
  for (const options of steps) {
    if (options === null) world.push();
    else world.land(options);
  }
  return world;
}

describe('any history', () => {
  it('has no offence where nobody did anything to it, from wherever one begins', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 25 }), fc.nat(), (steps, n) => {
        const world = play(steps);
        const people = steps.filter((step) => step === null).length;
        const report = auditLandings(world.facts());
        expect(report).toMatchObject({
          offences: [],
          ok: true,
          landings: world.made.length,
          proven: world.made.length,
        });
        expect(report.foreign).toHaveLength(people);
        expect(auditLandings(world.facts({ strict: true })).offences).toHaveLength(people);
        const begin = n % (world.commits.length + 1);
        const since = world.commits[begin - 1];
        const history = { from: since?.oid ?? world.adopted, commits: world.commits.slice(begin) };
        const recordedSince = since === undefined ? 0 : identSeconds(since.committer);
        expect(auditLandings(world.facts({ history: { ...history, recordedSince } })).offences).toEqual([]);
      }),
    );
  });

  it('has an offence that names the commit, whichever one is changed', () => {
    fc.assert(
      fc.property(
        fc.array(anyStep, { minLength: 1, maxLength: 12 }),
        fc.nat(),
        fc.constantFrom('tree', 'message', 'committer'),
        (steps, n, field) => {
          const world = play([...steps, { strategy: 'rebase-ff', size: 2 }]);
          const chosen = world.made[n % world.made.length];
          if (chosen === undefined) throw new Error('nothing landed');
          // git would give a changed commit another id; here only what is read changes.
          const changed = { ...chosen.commit, [field]: `x${chosen.commit[field as 'tree']}` };
          const commits = world.commits.map((commit) => (commit === chosen.commit ? changed : commit));
          const report = auditLandings(world.facts({ history: { commits } }));
          expect(report.offences.map(({ commit }) => commit)).toContain(chosen.commit.oid);
        },
      ),
    );
  });
});
