import { contentId } from '../content-id.js';
import { SignalboxError } from '../errors.js';
import type { CheckConfig, SetupConfig } from './types.js';

/** The checks of these names, in that order; null = all. Throws `not-acceptable` for a name that is not configured. */
export function selectChecks(all: readonly CheckConfig[], names: readonly string[] | null): CheckConfig[] {
  if (names === null) return [...all];
  return names.map((name) => {
    const found = all.find((check) => check.name === name);
    if (!found)
      throw new SignalboxError('not-acceptable', `the repository has no check called ${name}`, { check: name });
    return found;
  });
}

/**
 * What decides a verdict besides the tree: every field of the checks in their order, and of `setup`. The commit counts
 * only where a check sees history; else the same content in another commit keeps its verdict.
 */
export function configHash(checks: readonly CheckConfig[], setup: SetupConfig | null, commit: string): string {
  const history = checks.some((check) => check.kind === 'command' && check.needsHistory);
  return contentId(
    ...checks.flatMap((check) => [check.name, check.kind, ...decisive(check)]),
    setup === null ? null : strings(setup.command),
    setup === null ? null : setup.timeout,
    setup === null ? null : strings(setup.cache),
    setup === null ? null : strings(setup.cacheKey),
    history ? commit : null,
  );
}

const decisive = (check: CheckConfig): (string | number)[] =>
  check.kind === 'external'
    ? [check.context, check.timeout]
    : [strings(check.command), check.timeout, pairs(check.env), check.needsHistory ? 1 : 0];

const strings = (list: readonly string[]): string => JSON.stringify(list);
const pairs = (env: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1)));
