/** The result file of an agent, as it is read: its words are hints, its shape is checked, its costs may be unknown. */
import type { Usage } from './types.js';

export interface AgentResult {
  verdict: 'pass' | 'fail' | 'needs_human' | null;
  summary: string | null;
  question: string | null;
  usage: Usage | null;
  retryAfterSeconds: number | null;
}

export type ParsedResult = { ok: true; result: AgentResult } | { ok: false; reason: string };

const VERDICTS = ['pass', 'fail', 'needs_human'];
/** Above any real bill of one run: such a number is an error, not a cost. */
const COST_LIMIT_USD = 1e6;
const TOKEN_LIMIT = 1e12;
/** Texts that travel through histories. */
const TEXT_LIMIT = 16 * 1024;

const NO_RESULT: AgentResult = { verdict: null, summary: null, question: null, usage: null, retryAfterSeconds: null };

/** Parses the file's text; null = there was none. A bad `usage` alone is no fault: its cost is unknown. */
export function parseResult(text: string | null): ParsedResult {
  if (text === null) return { ok: true, result: NO_RESULT };
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (err) {
    return { ok: false, reason: `the result file is not JSON: ${err instanceof Error ? err.message : String(err)}` };
  }
  if (!isRecord(value)) return { ok: false, reason: 'the result file is not a JSON object' };
  const wrong = shapeFault(value);
  if (wrong !== null) return { ok: false, reason: `the result file has a wrong shape: ${wrong}` };
  return {
    ok: true,
    result: {
      verdict: (value.verdict ?? null) as AgentResult['verdict'],
      summary: cut(value.summary),
      question: cut(value.question),
      usage: value.usage === undefined || value.usage === null ? null : parseUsage(value.usage),
      retryAfterSeconds: typeof value.retryAfterSeconds === 'number' ? value.retryAfterSeconds : null,
    },
  };
}

function shapeFault(value: Record<string, unknown>): string | null {
  const { verdict, summary, question, retryAfterSeconds } = value;
  if (isSet(verdict) && !(typeof verdict === 'string' && VERDICTS.includes(verdict))) {
    return `verdict must be one of ${VERDICTS.join(', ')}`;
  }
  for (const [name, text] of Object.entries({ summary, question })) {
    if (isSet(text) && typeof text !== 'string') return `${name} must be a text`;
  }
  if (isSet(retryAfterSeconds) && typeof retryAfterSeconds !== 'number') return 'retryAfterSeconds must be a number';
  return verdict === 'needs_human' && !isSet(question) && !isSet(summary) ? 'needs_human without a question' : null;
}

/** Tokens that are no counts are 0 in the record but make the cost unknown, as does a cost that is no amount. */
function parseUsage(value: unknown): Usage {
  const usage = isRecord(value) ? value : {};
  const tokens = (name: string): number | null => (usage[name] === undefined ? 0 : amount(usage[name], TOKEN_LIMIT));
  const counts = ['inputTokens', 'outputTokens', 'cacheReadTokens', 'cacheCreationTokens'].map(tokens);
  const [input, output, cacheRead, cacheCreation] = counts;
  return {
    inputTokens: input ?? 0,
    outputTokens: output ?? 0,
    cacheReadTokens: cacheRead ?? 0,
    cacheCreationTokens: cacheCreation ?? 0,
    costUsd: counts.includes(null) ? null : amount(usage.costUsd, COST_LIMIT_USD),
    model: typeof usage.model === 'string' ? usage.model.slice(0, 200) : null,
  };
}

const amount = (value: unknown, limit: number): number | null =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= limit ? value : null;
const isSet = (value: unknown): boolean => value !== undefined && value !== null;
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const cut = (value: unknown): string | null => (typeof value === 'string' ? value.slice(0, TEXT_LIMIT) : null);
