/** The logs of a run directory, by the name a reader asks for. A check writes stdout and stderr into one. */
export const LOG_FILES = { stdout: 'out.jsonl', stderr: 'err.log', setup: 'setup.log' } as const;

export type LogStream = keyof typeof LOG_FILES;

export const LOG_STREAMS = Object.keys(LOG_FILES) as LogStream[];
