/**
 * Who did it, as far as a workflow may say. Anybody who reaches Temporal can send an update with any name in it, so:
 * - a name counts only beside an audit row (`intent`), and only until activities/records/decider.ts has read the row, or
 *   where there is none the identity in Temporal's history: that is what a decision is by, in its row and in repeats;
 * - a text that nobody checks later names the audit row, where the name is, and never the claim.
 */
export interface Claim {
  by?: string;
  intent?: number;
}

/** Updates that name no audit row came by another way than the API. */
export const COMMAND_LINE = 'temporal';

/** For a decision, which is checked when it is recorded. */
export const claimedBy = ({ by, intent }: Claim): string => (intent == null ? COMMAND_LINE : (by ?? COMMAND_LINE));

/** For texts. */
export const sourceOf = ({ intent }: Claim): string => (intent == null ? COMMAND_LINE : `audit row ${intent}`);

/** Why a task that was cancelled is over. `source`: of `sourceOf`, or a name that was checked. */
export const cancelledBy = (source: string, reason: string): string => `cancelled by ${source}: ${reason}`;

/** The audit row in such a text, with the reason; null where it names none. For whoever can look the name up. */
export function auditedCancel(text: string): { row: number; reason: string } | null {
  const [said, row] = /^cancelled by audit row (\d{1,15}): /.exec(text) ?? [];
  return said === undefined ? null : { row: Number(row), reason: text.slice(said.length) };
}
