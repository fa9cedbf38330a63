/**
 * The six tasks of the demo, and the agents' scripts for them (scripted-agent.ts). Two add a line at the same place, so
 * that the later one conflicts and is repaired by its agent; one is wrong at first and turns the tests red; one has a
 * document that a person approves.
 */
import type { Script, ScriptStep } from './scripted-agent.js';

export interface DemoTask {
  title: string;
  description: string;
  script: Script;
  pipeline?: { stages: object[] };
}

const BUILD_AND_LAND = [
  { name: 'development', kind: 'agent', agent: 'developer', commits: 'required' },
  { name: 'review', kind: 'agent', agent: 'reviewer', commits: 'forbidden', onFail: { goto: 'development', max: 3 } },
  { name: 'testing', kind: 'check', checks: ['unit'], onFail: { goto: 'development', max: 3 } },
  {
    name: 'merge',
    kind: 'merge',
    onConflict: { goto: 'development', max: 3 },
    onRed: { goto: 'development', max: 3 },
  },
];

/** The repository's pipeline in the demo. */
export const DEMO_PIPELINE = { stages: BUILD_AND_LAND };

const rate = (name: string, cents: number): ScriptStep[] => [
  { replace: 'src/rates.js', from: '  small: 300,\n', to: `  small: 300,\n  ${name}: ${cents},\n` },
  { write: `test/${name}.test.js`, text: test(`price('${name}')`, String(cents)) },
  { commit: `Carry ${name} parcels` },
];

function test(expression: string, expected: string): string {
  return [
    "import assert from 'node:assert/strict';",
    "import test from 'node:test';",
    "import { price } from '../src/rates.js';",
    '',
    `test('${expression.replaceAll("'", '')}', () => assert.equal(${expression}, ${expected}));`,
    '',
  ].join('\n');
}

/** `signal`: a file that appears when the first of the two conflicting tasks has landed. */
export function demoTasks(signal: string): DemoTask[] {
  return [
    {
      title: 'Show the currency',
      description: 'Prices are printed without a currency. Put a euro sign before them.',
      script: {
        development: [
          { replace: 'src/format.js', from: 'return (cents / 100)', to: "return '€' + (cents / 100)" },
          { commit: 'Show the currency' },
        ],
      },
    },
    {
      title: 'Carry express parcels',
      description: 'Add a rate for express parcels: 9.00.',
      script: { development: rate('express', 900) },
    },
    {
      title: 'Carry pallets',
      description: 'Add a rate for pallets: 40.00.',
      script: {
        'development@1': [...rate('pallet', 4000), { waitFor: signal }],
        onConflict: [{ mergeBase: true }],
      },
    },
    {
      title: 'Ten or more are cheaper',
      description: 'From ten parcels on, the price falls by a tenth.',
      script: {
        development: [
          {
            replace: 'src/rates.js',
            from: 'return rate * count;',
            to: 'return rate * count * (count > 10 ? 0.9 : 1);',
          },
          { write: 'test/discount.test.js', text: test("price('letter', 10)", '900') },
          { commit: 'Make ten or more cheaper' },
        ],
        onRed: [
          { replace: 'src/rates.js', from: 'count > 10', to: 'count >= 10' },
          { commit: 'Count the tenth parcel' },
        ],
      },
    },
    {
      title: 'Round to five cents',
      description: 'Somebody has to agree to how we round, before anybody builds it.',
      pipeline: {
        stages: [
          { name: 'analysis', kind: 'agent', agent: 'analyst', artifact: 'docs/{workItem}.md', commits: 'required' },
          { name: 'approval', kind: 'approval', of: 'analysis' },
          ...BUILD_AND_LAND,
        ],
      },
      script: {
        analysis: [
          { write: 'docs/{workItem}.md', text: '# Rounding\n\nTotals are rounded to the nearest five cents.\n' },
          { commit: 'Say how totals are rounded' },
        ],
        development: [
          { write: 'src/rounding.js', text: 'export const toFive = (cents) => Math.round(cents / 5) * 5;\n' },
          {
            write: 'test/rounding.test.js',
            text: test("toFive(price('letter') + 2)", '100').replace(
              "'../src/rates.js';",
              "'../src/rates.js';\nimport { toFive } from '../src/rounding.js';",
            ),
          },
          { commit: 'Round to five cents' },
        ],
      },
    },
    {
      title: 'Explain the rates',
      description: 'The README does not say where the rates are.',
      script: {
        development: [
          { append: 'README.md', text: '\nThe rates are in `src/rates.js`, in cents.\n' },
          { commit: 'Explain where the rates are' },
        ],
      },
    },
  ];
}

/** The description with the agent's script, as the scripted agent reads it from its prompt. */
export function describe(task: DemoTask): string {
  return `${task.description}\n\n\`\`\`agent-script\n${JSON.stringify(task.script)}\n\`\`\`\n`;
}
