/** The SDK's log lines in ours. What it says during an outage of the server, over and over, is a warning at most. */
import { type LogLevel, type LogMetadata, type Logger as SdkLogger } from '@temporalio/worker';
import type { Logger } from 'pino';

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'debug', WARN: 'warn', ERROR: 'error' } as const;

export function runtimeLogger(log: Logger): SdkLogger {
  const write = (said: LogLevel, message: string, meta?: LogMetadata): void => {
    // Said of every queue that serves activities alone, as ours of a host do.
    const level = message.startsWith('No workflows registered') ? 'DEBUG' : said;
    const { error, ...rest } = { ...meta };
    log[LEVELS[level]](error === undefined ? rest : { ...rest, err: error as unknown }, message);
  };
  return {
    log: write,
    trace: (message, meta) => write('TRACE', message, meta),
    debug: (message, meta) => write('DEBUG', message, meta),
    info: (message, meta) => write('INFO', message, meta),
    warn: (message, meta) => write('WARN', message, meta),
    error: (message, meta) => write('ERROR', message, meta),
  };
}
