import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attributeForms, attributesPath, baseAttributes } from '../../../activities/git/attributes.js';
import { readHistory } from '../../../activities/git/audit.js';
import { computeLanding } from '../../../activities/git/compute.js';
import { withGate, type Gate } from '../../../activities/git/gate.js';
import type { GitHost } from '../../../activities/git/host.js';
import { createLandings } from '../../../activities/git/landing.js';
import { readRemote } from '../../../activities/git/remote.js';
import { git, makeWorld, type World } from '../../support/git.js';

let world: World;
let host: GitHost;

beforeEach(() => {
  world = makeWorld();
  host = world.host('one');
});
afterEach(() => world.cleanUp());

const inGate = <T>(use: (gate: Gate) => Promise<T>, on = host): Promise<T> =>
  withGate(on, world.repo, async (gate) => {
    await readRemote(gate, ['refs/heads/main', 'refs/signalbox/heads/ET-1']);
    return use(gate);
  });

type Outcome = 'union' | 'ours' | 'markers';

/** Attribute files, and how both sides' line at the end of each file comes out. */
const TABLE: [Record<string, string>, Record<string, Outcome>][] = [
  [
    { 'any/.gitattributes': '*.log merge=union\nx.bin binary\n*.keep -merge\n' },
    {
      ...{ 'any/a.log': 'union', 'any/deep/er/a.log': 'union', 'a.log': 'markers', 'anyx/a.log': 'markers' },
      ...{ 'any/x.bin': 'ours', 'any/b/x.bin': 'ours', 'any/x.binx': 'markers', 'any/b/y.keep': 'ours' },
    },
  ],
  [
    {
      'place/.gitattributes': '/a merge=union\nsub/*.x merge=union\n**/z merge=union\nt/** -merge\nfoo**/bar -merge\n',
    },
    {
      ...{ 'place/a': 'union', 'place/sub/a': 'markers', 'place/sub/1.x': 'union', 'place/q/sub/1.x': 'markers' },
      ...{ 'place/z': 'union', 'place/p/q/z': 'union', 'place/sub/p/1.x': 'markers', 'place/t/u/v': 'ours' },
      ...{ 'place/foo/bar': 'ours', 'place/foox/bar': 'ours' },
    },
  ],
  [
    { 'over/.gitattributes': '* merge=union\n', 'over/in/.gitattributes': '*.t merge\n*.u !merge\n' },
    { 'over/a.t': 'union', 'over/in/a.t': 'markers', 'over/in/a.u': 'markers', 'over/in/a.v': 'union' },
  ],
  [
    { 'dirs/.gitattributes': 'd/ merge=union\n**y -merge\n[ab].c merge=union\n?.e -merge\n' },
    { 'dirs/d/a': 'markers', 'dirs/xy': 'ours', 'dirs/f/a.c': 'union', 'dirs/c.c': 'markers', 'dirs/f/a.e': 'ours' },
  ],
  [
    {
      'g[l]*b/.gitattributes': '*.a merge=union\n/b merge=union\n',
      '#h i/.gitattributes': '*.a merge=union\n',
      '!no/.gitattributes': '*.a merge=union\n',
      'back\\s/.gitattributes': '*.a merge=union\n',
      'ä/.gitattributes': '"à b.a" merge=union\n"\\303\\244" -merge\n',
    },
    {
      ...{ 'g[l]*b/x/1.a': 'union', 'g[l]*b/b': 'union', 'glob/1.a': 'markers', '#h i/1.a': 'union' },
      ...{ '!no/x/1.a': 'union', 'back\\s/1.a': 'union', 'ä/à b.a': 'union', 'ä/ä': 'ours' },
    },
  ],
  [
    {
      '.gitattributes':
        '[attr]made merge=union -diff\n*.made made\ntop/odd.made -made\n*.evil merge=union\n*.evil merge=x\n',
      'macro/.gitattributes': '[attr]mine -merge\n*.m mine\n*.n made\n*.o -binary made\n',
      'fault/.gitattributes': '!a merge=union\nb merge=union x:y\n\tc  merge=union\r\n # d merge=union\n',
    },
    {
      ...{ 'top/1.made': 'union', 'top/odd.made': 'markers', 'a.evil': 'markers', 'macro/a.m': 'markers' },
      ...{ 'macro/a.n': 'union', 'macro/a.o': 'union', 'fault/a': 'markers', 'fault/b': 'markers' },
      ...{ 'fault/c': 'union', 'fault/d': 'markers' },
    },
  ],
];

const outcomeOf = (text: string): Outcome =>
  text.includes('<<<<<<<') ? 'markers' : text.includes('theirs') ? 'union' : 'ours';

describe('the attributes of base', () => {
  it('merge every file as git does in a checkout of base, also those below the top', async () => {
    const { person } = world;
    const expected: Record<string, Outcome> = Object.fromEntries(
      TABLE.flatMap(([, outcomes]) => Object.entries(outcomes)),
    );
    const all = (text: string): Record<string, string> =>
      Object.fromEntries(Object.keys(expected).map((name) => [name, text]));
    world.personPush({ ...all('a\n'), ...Object.fromEntries(TABLE.flatMap(([files]) => Object.entries(files))) });
    mkdirSync(path.join(person, 'link'));
    symlinkSync('../over/.gitattributes', path.join(person, 'link/.gitattributes'));
    expected['link/a'] = 'markers';
    world.personPush({ 'link/a': 'a\n' });
    const head = world.head('ET-1', all('a\ntheirs\n'));
    const base = world.personPush(all('a\nours\n'));
    expect(() => git(person, 'merge', '-q', '--no-edit', head)).toThrow();
    const theirs = Object.keys(expected).map((name) => [
      name,
      outcomeOf(readFileSync(path.join(person, name), 'utf8')),
    ]);
    const ours = await inGate(async (gate) => {
      const oid = (await baseAttributes(gate, base)) ?? '';
      expect(await gate.text(['hash-object', attributesPath(gate.dir, oid)])).toBe(oid);
      const config = [`core.attributesFile=${attributesPath(gate.dir, oid)}`];
      const args = ['merge-tree', '--write-tree', '--name-only', '-z', base, head];
      const [tree = ''] = (await gate.run(args, { config, answers: [1] })).stdout.split('\0');
      const found = await gate.objects.contents(
        (await gate.objects.info(Object.keys(expected).map((n) => `${tree}:${n}`))).map((info) => info?.oid ?? ''),
      );
      return Object.keys(expected).map((name, i) => [name, outcomeOf(found[i]?.bytes.toString('utf8') ?? '')]);
    });
    expect(Object.fromEntries(theirs)).toEqual(expected);
    expect(Object.fromEntries(ours)).toEqual(expected);
  });

  it('are found anew where a later base changes, moves or removes them, and by a host that begins there', async () => {
    const bases = [world.base()];
    bases.push(world.personPush({ 'a/.gitattributes': '* -merge\n', '.gitattributes': '* text\n' }));
    bases.push(world.personPush({ 'b/c/.gitattributes': '* merge=union\n' }));
    bases.push(world.personPush({ 'src/a.txt': 'other\n' }));
    rmSync(path.join(world.person, 'a'), { recursive: true });
    bases.push(world.personPush({ a: 'a file\n' }));
    git(world.person, 'mv', 'b', 'a2');
    bases.push(world.personPush({}));
    const texts = (on: GitHost, asked: string[]) =>
      inGate(async (gate) => {
        const oids = (await attributeForms(gate, asked)).map(([oid]) => oid);
        return oids.map((oid) => (oid == null ? null : readFileSync(attributesPath(gate.dir, oid), 'utf8')));
      }, on);
    const a = 'a/**/* -merge\n';
    const bc = 'b/c/**/* merge=union\n';
    const expected = [null, a, a + bc, a + bc, bc, 'a2/c/**/* merge=union\n'];
    for (const [i, base] of bases.entries()) expect(await texts(host, [base])).toEqual([expected[i]]);
    expect(await texts(host, ['f'.repeat(40), ...bases])).toEqual([null, ...expected]);
    // Without the gate that they were found in, too.
    rmSync(path.join(world.root, 'host-one/gates/web.git'), { recursive: true });
    expect(await texts(host, [...bases].reverse())).toEqual([...expected].reverse());
    expect(await texts(world.host('two'), bases)).toEqual(expected);
  });

  it('prove a landing that an earlier version made with those at the top alone', async () => {
    world.personPush({ '.gitattributes': '*.log merge=union\n', 'docs/.gitattributes': '*.md merge=union\n' });
    const head = world.head('ET-1', { 'src/new.txt': 'new\n' });
    const base = world.base();
    const { entry, task, generation, try: tried } = world.request('ET-1', head);
    const identity = { repo: 'web', base: 'main', task, workItem: 'ET-1', generation, head, try: tried, entry };
    const made = await inGate(async (gate) => {
      const [[now, before] = []] = await attributeForms(gate, [base]);
      expect(now).not.toBe(before);
      const inputs = { entry: identity, strategy: 'squash' as const, baseOid: base, timestamp: 1_800_000_000 };
      const landed = await computeLanding(gate, { ...inputs, attributes: before ?? null, landingMessage: 'Old' });
      if (landed.kind !== 'computed') throw new Error(landed.kind);
      await gate.run(['push', '-q', world.remote, `${landed.commit}:refs/heads/main`], { protocols: 'file' });
      return landed.commit;
    });
    git(world.remote, 'update-ref', 'refs/signalbox/tip/main', made);
    const two = world.host('two');
    const landing = { kind: 'landed', landing: { commit: made } };
    expect(await createLandings(two, world.records).prepareLanding(world.request('ET-1', head), null)).toMatchObject(
      landing,
    );
    const history = await readHistory(two, world.repo, { base: 'main', since: base, asked: [] });
    expect(history.again).toEqual({ [made]: { kind: 'same' } });
  });
});
