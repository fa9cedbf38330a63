/** Settings and a silent logger for parts under test. */
import pino, { type Logger } from 'pino';
import { parseSettings, type Settings } from '../../domain/settings.js';

/** Defaults, with some settings changed: `testSettings({ AGENT_STALE: '3s' })`. */
export function testSettings(over: Record<string, string> = {}): Settings {
  return parseSettings(Object.fromEntries(Object.entries(over).map(([name, value]) => [`SIGNALBOX_${name}`, value])));
}

export const silentLog: Logger = pino({ level: 'silent' });
