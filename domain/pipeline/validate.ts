import { Errors } from 'typebox/value';
import { parseDocument } from 'yaml';
import type { Fault } from '../errors.js';
import { MAX_STAGES, NOT_AVAILABLE_FIELDS, NOT_AVAILABLE_KINDS, STAGE_SCHEMAS } from './schema.js';
import { structureFaults, type KnownNames } from './structure.js';
import type { AgentStage, ApprovalStage, CheckStage, MergeStage, Pipeline, Stage } from './types.js';

export type { KnownNames } from './structure.js';

/** All faults at once; `code` is the gravest: malformed (400) before not valid before not there yet (both 422). */
export type PipelineResult =
  | { ok: true; pipeline: Pipeline }
  | { ok: false; code: 'invalid-request' | 'invalid-pipeline' | 'not-available'; faults: Fault[] };

const MAX_TEXT = 65536;
const RESERVED_KEYS = ['__proto__', 'constructor', 'prototype'];

interface Found {
  malformed: Fault[];
  invalid: Fault[];
  unavailable: Fault[];
}

/** Reads a pipeline written as JSON or YAML text; keys twice, aliases and reserved keys are refused. */
export function parsePipeline(text: string, known: KnownNames, at = 'pipeline'): PipelineResult {
  if (text.length > MAX_TEXT) return malformed(at, `at most ${MAX_TEXT} characters`);
  const document = parseDocument(text, { uniqueKeys: true, strict: true, version: '1.2' });
  const first = document.errors[0] ?? document.warnings[0];
  if (first !== undefined) return malformed(at, first.message.split('\n')[0] ?? 'cannot be parsed');
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 0 });
  } catch (err) {
    return malformed(at, (err as Error).message);
  }
  return checkPipeline(value, known, at);
}

/** Checks a parsed pipeline and fills in what was left out. `at` is the field's name in the request. */
export function checkPipeline(value: unknown, known: KnownNames, at = 'pipeline'): PipelineResult {
  if (!isRecord(value)) return malformed(at, 'an object with `stages`', value);
  const found: Found = { malformed: [], invalid: [], unavailable: [] };
  for (const key of Object.keys(value)) {
    if (key !== 'stages') found.malformed.push({ field: `${at}.${key}`, message: 'unknown field' });
  }
  const list = value['stages'];
  if (!Array.isArray(list)) {
    found.malformed.push({ field: `${at}.stages`, value: list, message: 'a list of stages' });
    return refusal(found);
  }
  if (list.length < 1 || list.length > MAX_STAGES) {
    found.invalid.push({ field: `${at}.stages`, message: `from 1 to ${MAX_STAGES} stages` });
    return refusal(found);
  }
  const stages = list.map((item: unknown, i) => readStage(item, `${at}.stages[${i}]`, found));
  found.invalid.push(...structureFaults(stages, known, at));
  const complete = stages.filter((stage) => stage !== null);
  if (complete.length < stages.length || found.invalid.length > 0 || found.malformed.length > 0) return refusal(found);
  if (found.unavailable.length > 0) return refusal(found);
  return { ok: true, pipeline: { stages: complete } };
}

function readStage(item: unknown, at: string, found: Found): Stage | null {
  if (!isRecord(item)) {
    found.malformed.push({ field: at, value: item, message: 'an object' });
    return null;
  }
  const given = Object.fromEntries(Object.entries(item).filter(([, v]) => v !== null));
  for (const key of RESERVED_KEYS) {
    if (Object.hasOwn(item, key)) found.malformed.push({ field: `${at}.${key}`, message: 'unknown field' });
  }
  const kind = given['kind'];
  if (typeof kind !== 'string') {
    found.malformed.push({ field: `${at}.kind`, value: kind, message: allowedKinds() });
    return null;
  }
  if (NOT_AVAILABLE_KINDS.includes(kind)) {
    found.unavailable.push({ field: `${at}.kind`, value: kind, message: 'this version has no stages of that kind' });
    return null;
  }
  if (!isKind(kind)) {
    found.invalid.push({ field: `${at}.kind`, value: kind, message: allowedKinds() });
    return null;
  }
  const later = NOT_AVAILABLE_FIELDS[kind] ?? [];
  for (const field of later.filter((name) => name in given)) {
    found.unavailable.push({
      field: `${at}.${field}`,
      value: given[field],
      message: 'this version does not have that',
    });
  }
  const now = Object.fromEntries(Object.entries(given).filter(([name]) => !later.includes(name)));
  return shapeFaults(kind, now, at, found) ? null : complete(kind, now);
}

/** True if the stage does not have the shape of its kind. */
function shapeFaults(kind: Stage['kind'], given: Record<string, unknown>, at: string, found: Found): boolean {
  let any = false;
  for (const error of Errors(STAGE_SCHEMAS[kind], given)) {
    if (error.keyword === 'boolean') continue; // repeated as additionalProperties of the parent
    any = true;
    const field = at + error.instancePath.replace(/\/(\d+)/g, '[$1]').replaceAll('/', '.');
    if (error.keyword === 'additionalProperties') {
      const names = error.params.additionalProperties;
      found.malformed.push(...names.map((name) => ({ field: `${field}.${name}`, message: 'unknown field' })));
    } else if (error.keyword === 'required') {
      const names = error.params.requiredProperties;
      found.malformed.push(...names.map((name) => ({ field: `${field}.${name}`, message: 'is needed' })));
    } else {
      const value = valueAt(given, error.instancePath);
      const list = error.keyword === 'type' ? found.malformed : found.invalid;
      list.push({ field, value, message: error.message });
    }
  }
  return any;
}

/** Every field present, absent ones with their default. The shape was checked before. */
function complete(kind: Stage['kind'], given: Record<string, unknown>): Stage {
  const defaults = {
    agent: { prompt: null, artifact: null, commits: 'optional', maxAttempts: null, onFail: null },
    approval: {},
    check: { checks: null, onFail: null },
    merge: { onConflict: null, onRed: null },
  } satisfies Record<
    Stage['kind'],
    Partial<AgentStage> | Partial<ApprovalStage> | Partial<CheckStage> | Partial<MergeStage>
  >;
  const stage: object = { ...defaults[kind], ...given };
  return stage as Stage;
}

function refusal(found: Found): PipelineResult {
  const faults = [...found.malformed, ...found.invalid, ...found.unavailable];
  if (found.malformed.length > 0) return { ok: false, code: 'invalid-request', faults };
  return { ok: false, code: found.invalid.length > 0 ? 'invalid-pipeline' : 'not-available', faults };
}

function malformed(field: string, message: string, value?: unknown): PipelineResult {
  return {
    ok: false,
    code: 'invalid-request',
    faults: [{ field, ...(value === undefined ? {} : { value }), message }],
  };
}

function valueAt(value: unknown, pointer: string): unknown {
  return pointer
    .split('/')
    .slice(1)
    .reduce<unknown>(
      (v, key) => (typeof v === 'object' && v !== null ? (v as Record<string, unknown>)[key] : undefined),
      value,
    );
}

const allowedKinds = (): string => `one of ${Object.keys(STAGE_SCHEMAS).join(', ')}`;
const isKind = (kind: string): kind is Stage['kind'] => Object.hasOwn(STAGE_SCHEMAS, kind);
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
