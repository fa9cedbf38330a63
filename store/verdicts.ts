/** Verdicts of trees. Green and red stay for ever; a fault says nothing about the tree and makes room for the next. */
import type { CheckRunResult, Verdict } from '../domain/checks/types.js';
import { execute, json, query, queryOne, type Db } from './db.js';

export async function getVerdict(db: Db, key: string): Promise<Verdict | null> {
  return queryOne<Verdict>(
    db,
    `SELECT key, repo, tree, config_hash AS "configHash", verdict, failed, flaky, reason, at FROM verdicts WHERE key = $1`,
    [key],
  );
}

/** Stores a verdict unless a green or red one is there; returns the one that counts. */
export async function recordVerdict(db: Db, verdict: Verdict, runs: CheckRunResult[]): Promise<Verdict> {
  await execute(
    db,
    `INSERT INTO verdicts (key, repo, tree, config_hash, verdict, failed, flaky, reason, runs, at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (key) DO UPDATE SET verdict = excluded.verdict, failed = excluded.failed, flaky = excluded.flaky,
       reason = excluded.reason, runs = excluded.runs, at = excluded.at WHERE verdicts.verdict = 'fault'`,
    [
      ...[verdict.key, verdict.repo, verdict.tree, verdict.configHash, verdict.verdict, json(verdict.failed)],
      ...[verdict.flaky, verdict.reason, json(runs), verdict.at],
    ],
  );
  return (await getVerdict(db, verdict.key)) ?? verdict;
}

/** Those of the trees that checks of the repository were green on, in any configuration. */
export async function greenTrees(db: Db, repo: string, trees: readonly string[]): Promise<string[]> {
  const rows = await query<{ tree: string }>(
    db,
    `SELECT DISTINCT tree FROM verdicts WHERE repo = $1 AND verdict = 'green' AND tree = ANY ($2)`,
    [repo, trees],
  );
  return rows.map((row) => row.tree);
}
