/** The log of a process: JSON lines on stderr, or readable lines where a person looks. */
import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';

export interface Log {
  logger: Logger;
  /** Lines that another process wrote, as they are. */
  pass: (text: string) => void;
}

/** @param level of domain/settings.ts LOG_LEVEL */
export function openLog(level: string, readable = process.stderr.isTTY): Log {
  const stream = readable
    ? pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' })
    : pino.destination({ dest: 2, sync: true });
  return { logger: pino({ level, base: null }, stream), pass: (text) => void stream.write(text) };
}
