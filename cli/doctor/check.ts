/** One thing that the doctor looks at. */
export interface Check {
  name: string;
  /** `note`: nothing is wrong, and worth knowing. */
  status: 'ok' | 'note' | 'failed';
  /** What was found. */
  detail: string;
  /** How to mend it; null where nothing is to be mended. */
  mend: string | null;
}

export const ok = (name: string, detail: string): Check => ({ name, status: 'ok', detail, mend: null });
export const note = (name: string, detail: string): Check => ({ name, status: 'note', detail, mend: null });
export const failed = (name: string, detail: string, mend: string): Check => ({ name, status: 'failed', detail, mend });

/** The check, or its failure where it throws. */
export async function guarded(name: string, mend: string, check: () => Promise<Check[]>): Promise<Check[]> {
  try {
    return await check();
  } catch (err) {
    return [failed(name, (err as Error).message || String(err), mend)];
  }
}
